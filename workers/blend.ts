/**
 * The crash-safe blend of one chunk: slow ← slow + α(fast − slow), fast ← slow.
 *
 * A chunk is worked on block by block:
 *   1. result → scratch        slow and fast are untouched: a rerun computes the same again
 *   2. mark "computed"
 *   3. scratch → slow, fast    scratch is untouched: a rerun copies the same again
 *   4. mark "committed"
 * Slow, fast, scratch and the mark outlive the thread, so wherever it dies, `blendChunk` on the
 * same job goes on from the mark and ends with the same bits. There must never be two threads on
 * one job.
 *
 * The bottom layer: imports nothing from src/, needs nothing of Node, runs in browsers.
 */
import type { BlendKernels } from './plain-kernels.js';
import { kernelsFor } from './simd-kernels.js';

/**
 * One chunk's work. Byte positions are into `memory`, multiples of 16; the four areas do not
 * overlap.
 */
export interface BlendJob {
  readonly memory: WebAssembly.Memory;
  /** The same for every clone of this memory: a worker gets a new clone with each job. */
  readonly memoryId: number;
  /** The chunk's slow weights (float32) in the store. */
  readonly slowByte: number;
  /** The staging slot's fast weights (float32); the blended weights afterwards. */
  readonly fastByte: number;
  /** `BLOCK_BYTES` bytes. */
  readonly scratchByte: number;
  /** One Int32: twice the committed blocks, + 1 when the next block's result is in scratch. */
  readonly progressByte: number;
  /** Consecutive, in order, from the chunk's first weight to its last. */
  readonly runs: readonly BlendRun[];
}

/** Neighbouring weights with one slow step size. */
export interface BlendRun {
  /** In weights; may be 0. */
  readonly length: number;
  /** The paper's α. */
  readonly stepSize: number;
}

/**
 * Small enough for a block of slow, fast and scratch to stay in a 32 KiB L1 cache; see
 * bench/blend.ts.
 */
export const BLOCK_BYTES = 4096;
const BLOCK_LENGTH = BLOCK_BYTES / 4;

/** The progress word has a cache line to itself. */
const PROGRESS_BYTES = 64;

/** What a staging slot needs beside the fast weights of its largest chunk. */
export const STAGING_BYTES_ABOVE_CHUNK = BLOCK_BYTES + PROGRESS_BYTES;

/**
 * Where the parts of a staging slot lie, given its first byte and the bytes of its largest chunk
 * (multiples of 64).
 */
export function stagingParts(
  slotByte: number,
  chunkBytes: number,
): Pick<BlendJob, 'fastByte' | 'scratchByte' | 'progressByte'> {
  const scratchByte = slotByte + chunkBytes;
  return { fastByte: slotByte, scratchByte, progressByte: scratchByte + BLOCK_BYTES };
}

/**
 * Declares the chunk untouched. Called once per chunk and sync, before its first `blendChunk`;
 * never before a rerun.
 */
export function beginChunk(job: BlendJob): void {
  Atomics.store(progressOf(job), 0, 0);
}

/** Blends the chunk, or what is left of it. Afterwards slow and fast hold the result. */
export function blendChunk(job: BlendJob, kernels: BlendKernels = kernelsFor(job.memory)): void {
  const { slowByte, fastByte, scratchByte, runs } = job;
  const progress = progressOf(job);
  const total = runs.reduce((sum, run) => sum + run.length, 0);
  const mark = Atomics.load(progress, 0);
  const computed = (mark & 1) === 1;
  const firstBlock = mark >> 1;

  let run = 0;
  let runEnd = runs[0]?.length ?? 0;
  for (let block = firstBlock; block * BLOCK_LENGTH < total; block++) {
    const start = block * BLOCK_LENGTH;
    const end = Math.min(start + BLOCK_LENGTH, total);
    if (!(computed && block === firstBlock)) {
      for (let at = start; at < end;) {
        while (runEnd <= at) runEnd += runs[++run]!.length;
        const stop = Math.min(runEnd, end);
        const out = scratchByte + (at - start) * 4;
        const { stepSize } = runs[run]!;
        const [slow, fast] = [slowByte + at * 4, fastByte + at * 4];
        // s + 1·(f − s) is not f in floating point when their exponents lie far apart.
        if (stepSize === 1) kernels.copy(fast, out, stop - at);
        else if (stepSize === 0) kernels.copy(slow, out, stop - at);
        else kernels.blend(slow, fast, out, stop - at, stepSize);
        at = stop;
      }
      Atomics.store(progress, 0, 2 * block + 1);
    }
    // Only now may slow and fast be overwritten: from the mark on they are not read again.
    kernels.copy(scratchByte, slowByte + start * 4, end - start);
    kernels.copy(scratchByte, fastByte + start * 4, end - start);
    Atomics.store(progress, 0, 2 * block + 2);
  }
}

function progressOf(job: BlendJob): Int32Array {
  return new Int32Array(job.memory.buffer, job.progressByte, 1);
}
