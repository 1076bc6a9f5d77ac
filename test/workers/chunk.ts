/** A chunk in a memory of its own, for tests of the blend. */
import {
  beginChunk,
  BLOCK_BYTES,
  type BlendJob,
  type BlendRun,
  stagingParts,
} from '#workers/blend.js';
import { blendPlain } from '#workers/plain-kernels.js';

export const BLOCK_LENGTH = BLOCK_BYTES / 4;

let memories = 0;

export interface Chunk {
  readonly job: BlendJob;
  readonly slow: Float32Array;
  readonly fast: Float32Array;
}

export interface ChunkOptions {
  readonly shared?: boolean;
  /** Everything lies behind this byte, a multiple of 64. */
  readonly offset?: number;
}

const round64 = (bytes: number) => Math.ceil(bytes / 64) * 64;

/**
 * A chunk ready for its first `blendChunk`. Scratch holds NaN, so that a copy of what was never
 * computed shows.
 */
export function chunkOf(
  slow: ArrayLike<number>,
  fast: ArrayLike<number>,
  runs: readonly BlendRun[],
  { shared = true, offset = 64 }: ChunkOptions = {},
): Chunk {
  const chunkBytes = round64(slow.length * 4);
  const parts = stagingParts(offset + chunkBytes, chunkBytes);
  const pages = Math.ceil((parts.progressByte + 64) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared });
  const job = { memory, memoryId: ++memories, slowByte: offset, ...parts, runs };
  const slowView = new Float32Array(memory.buffer, job.slowByte, slow.length);
  const fastView = new Float32Array(memory.buffer, job.fastByte, fast.length);
  slowView.set(slow);
  fastView.set(fast);
  new Float32Array(memory.buffer, job.scratchByte, BLOCK_LENGTH).fill(NaN);
  new Int32Array(memory.buffer, job.progressByte, 1).fill(77); // what an earlier chunk left
  beginChunk(job);
  return { job, slow: slowView, fast: fastView };
}

/** What the blend of these must give: the plain loop, run by run. */
export function blended(
  slow: ArrayLike<number>,
  fast: ArrayLike<number>,
  runs: readonly BlendRun[],
): Float32Array {
  const s = Float32Array.from(slow);
  const f = Float32Array.from(fast);
  const out = new Float32Array(s.length);
  let at = 0;
  for (const { length, stepSize } of runs) {
    const end = at + length;
    blendPlain(s.subarray(at, end), f.subarray(at, end), out.subarray(at, end), stepSize);
    at = end;
  }
  return out;
}

/** −0 and 0 differ here, as do two NaNs. */
export function bits(values: Float32Array): number[] {
  return Array.from(new Uint32Array(values.slice().buffer));
}

/** Numbers that look arbitrary and are the same in every run. */
export function noise(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + seed * 78.233) * 4);
}
