// From how many weights on a chunk is given to a thread: when its blend here would take longer than a message to the
// thread and its answer. Measured once per process, when the first thread is there; the bits do not depend on it.

import { beginChunk, blendChunk, type BlendJob, stagingParts } from '../../../workers/blend.js';
import type { BlendThread } from './blend-thread.js';

/** Until it is measured, and where a measurement says less: a machine that is busy for a moment is no reason. */
const LEAST = 2 ** 16;
/** 16 MiB: however slow messages are, the thread that trains has better to do. */
const MOST = 2 ** 22;

const SAMPLE = 2 ** 14;
const REPEATS = 5;

let measured: number | undefined;

export function smallestForThreads(): number {
  return measured ?? LEAST;
}

/** Measures, if nobody has. Rejects if the thread fails. */
export async function measureOn(thread: BlendThread, timeoutMs: number): Promise<void> {
  if (measured !== undefined) return;
  measured = LEAST; // nobody else measures meanwhile
  const sample = sampleJob();
  const [here, there] = [[] as number[], [] as number[]];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    beginChunk(sample);
    here.push(await msOf(() => blendChunk(sample)));
    there.push(await msOf(() => thread.run({ ...sample, runs: [] }, timeoutMs)));
  }
  // The shortest: what else runs on the machine makes times longer only.
  const weights = (Math.min(...there) / Math.min(...here)) * SAMPLE;
  if (weights > LEAST) measured = Math.min(weights, MOST); // not if it is NaN
}

function sampleJob(): BlendJob {
  const bytes = 4 * SAMPLE;
  const memory = new WebAssembly.Memory({ initial: 3, maximum: 3, shared: true });
  const runs = [{ length: SAMPLE, stepSize: 0.5 }];
  return { memory, memoryId: -1, slowByte: 0, ...stagingParts(bytes, bytes), runs };
}

async function msOf(work: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
