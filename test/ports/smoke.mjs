// The built package in a runtime, as it is: node smoke.mjs, bun smoke.mjs, deno run -A smoke.mjs.

import { smoke } from './smoke-train.mjs';

console.log(`passed on ${await smoke()}`);
process.exit(0);
