// Trains here, or with `?worker` in a worker, and posts the result to the address in `answer`.

import type { Smoke } from './trained.js';

const query = new URLSearchParams(location.search);

function inWorker(): Promise<Smoke> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  return new Promise((resolve, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<Smoke>) => resolve(data));
    worker.addEventListener('error', ({ message }) => reject(new Error(message)));
  });
}

const inPage = async () => (await import('./trained.js')).trained();
const run = query.has('worker') ? inWorker() : inPage();
const result = await run.catch((error: unknown) => ({ faults: [String(error)] }));
await fetch(query.get('answer') ?? '', {
  method: 'POST',
  mode: 'no-cors',
  body: JSON.stringify(result),
});
