import { type Smoke, trained } from './trained.js';

const failed = (error: unknown): Partial<Smoke> => ({ faults: [String(error)] });
const result = await trained().catch(failed);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows; this is a worker
postMessage(result);
