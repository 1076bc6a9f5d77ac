import { smoke } from '../smoke-train.mjs';

const result = await smoke().then(
  (adapter) => ({ adapter }),
  (error) => ({ failed: String(error) }),
);
const answer = new URLSearchParams(location.search).get('answer') ?? '';
await fetch(answer, { method: 'POST', mode: 'no-cors', body: JSON.stringify(result) });
