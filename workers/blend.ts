/**
 * The crash-safe blend of one chunk: slow ← slow + α(fast − slow), fast ← slow.
 *
 * A chunk is worked on block by block:
 *   1. result → scratch        slow and fast are untouched: a rerun computes the same again
 *   2. mark "computed"
 *   3. scratch → slow, fast    scratch is untouched: a rerun copies the same again
 *   4. mark "committed"
 * Slow weights that are stored in fewer bits are dequantized into scratch first, and step 3 quantizes them: slow gets
 * the rounded result, fast the unrounded one, which keeps what rounding takes. Rounding depends only on
 * the result and its draw, so quantizing again gives the same.
 * Slow, fast, scratch and the mark outlive the thread, so wherever it dies, `blendChunk` on the
 * same job goes on from the mark and ends with the same bits. There must never be two threads on
 * one job.
 *
 * Imports nothing from src/ and nothing of Node, so that it runs in browsers too.
 */
import { GROUPS, type QuantizedFormat } from './codecs/value-format.js';
import type { BlendKernels } from './plain-kernels.js';
import { kernelsFor } from './simd-kernels.js';

/**
 * One chunk's work. Byte positions count from the start of `memory` and are multiples of 16; that of quantized
 * slow weights is a multiple of 4. The four areas do not overlap.
 */
export interface BlendJob {
  readonly memory: WebAssembly.Memory;
  /** The same for every clone of this memory: a worker gets a new clone with each job. */
  readonly memoryId: number;
  /** The chunk's slow weights in the store: float32, or groups of `quantization`. */
  readonly slowByte: number;
  /** The staging slot's fast weights (float32); the blended weights afterwards. */
  readonly fastByte: number;
  /** `BLOCK_BYTES` bytes. */
  readonly scratchByte: number;
  /** One Int32: twice the committed blocks, + 1 when the next block's result is in scratch. */
  readonly progressByte: number;
  /** In order, from the chunk's first weight to its last. */
  readonly runs: readonly BlendRun[];
  /** How slow weights are quantized. Each run begins where a group does, and its weights at a multiple of one. */
  readonly quantization?: { readonly format: QuantizedFormat; readonly round: number };
}

/** Neighbouring weights with one slow step size. */
export interface BlendRun {
  /** In weights; may be 0. */
  readonly length: number;
  /**
   * Its first element within the chunk. Default: the first group behind the previous run. Elements between two
   * runs stay as they are.
   */
  readonly at?: number;
  /** The paper's α. */
  readonly stepSize: number;
  /** The item, and the run's first element within it: rounding draws by both. Only for quantized weights. */
  readonly item?: number;
  readonly start?: number;
}

/**
 * Small enough for a block of slow, fast and scratch to stay in a 32 KiB L1 cache; see
 * bench/blend.ts.
 */
export const BLOCK_BYTES = 4096;
const BLOCK_LENGTH = BLOCK_BYTES / 4;

/** The progress word has a cache line to itself. */
const PROGRESS_BYTES = 64;

/** Bytes that a staging slot needs besides the fast weights of its largest chunk. */
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
  const { fastByte, scratchByte } = job;
  const progress = progressOf(job);
  const pieces = piecesOf(job);
  const total = pieces.at(-1)?.end ?? 0;
  const mark = Atomics.load(progress, 0);
  const computed = (mark & 1) === 1;
  const firstBlock = mark >> 1;

  for (let block = firstBlock, first = 0; block * BLOCK_LENGTH < total; block++) {
    const start = block * BLOCK_LENGTH;
    const end = Math.min(start + BLOCK_LENGTH, total);
    while (pieces[first]!.end <= start) first++;
    if (!(computed && block === firstBlock)) {
      for (let i = first; i < pieces.length && pieces[i]!.at < end; i++) {
        compute(job, kernels, pieces[i]!, start, end);
      }
      Atomics.store(progress, 0, 2 * block + 1);
    }
    // Only now may slow and fast be overwritten: from the mark on they are not read again.
    for (let i = first; i < pieces.length && pieces[i]!.at < end; i++) {
      store(job, kernels, pieces[i]!, start, end);
    }
    kernels.copy(scratchByte, fastByte + start * 4, end - start);
    Atomics.store(progress, 0, 2 * block + 2);
  }
}

/**
 * The same bits without marks, and with fewer copies: for the thread that owns the memory, which does not outlive itself.
 * It cannot go on with what `blendChunk` has begun.
 */
export function blendAtOnce(job: BlendJob, kernels: BlendKernels = kernelsFor(job.memory)): void {
  for (const piece of piecesOf(job)) {
    for (let start = piece.at; start < piece.end; start += BLOCK_LENGTH) {
      const length = Math.min(BLOCK_LENGTH, piece.end - start);
      if (job.quantization === undefined) blendFloats(job, kernels, piece, start, length);
      else blendQuantized(job, kernels, piece, start, length);
    }
  }
}

function blendFloats(
  { slowByte, fastByte }: BlendJob,
  kernels: BlendKernels,
  { run: { stepSize } }: Piece,
  start: number,
  length: number,
): void {
  const [slow, fast] = [slowByte + start * 4, fastByte + start * 4];
  if (stepSize === 1) kernels.copy(fast, slow, length);
  else {
    if (stepSize !== 0) kernels.blend(slow, fast, slow, length, stepSize);
    kernels.copy(slow, fast, length);
  }
}

function blendQuantized(
  job: BlendJob,
  kernels: BlendKernels,
  piece: Piece,
  start: number,
  length: number,
): void {
  const { stepSize } = piece.run;
  const fast = job.fastByte + start * 4;
  const slow = stepSize === 0 ? fast : job.scratchByte;
  if (stepSize !== 1) {
    kernels.dequantize(job.quantization!.format, quantizedByte(job, start), slow, length);
    if (stepSize !== 0) kernels.blend(slow, fast, fast, length, stepSize);
  }
  quantize(job, kernels, piece, start, length, fast);
}

// Each job brings a new clone of its memory, and kernels would have to start for each, so a thread keeps the last
// clone. It keeps only one, because a clone keeps the memory of its store alive.
let last: { readonly id: number; readonly memory: WebAssembly.Memory } | undefined;

/** What each thread of the pool runs: one chunk per call. */
export default function blendInWorker(job: BlendJob): void {
  if (last?.id !== job.memoryId) last = { id: job.memoryId, memory: job.memory };
  blendChunk(job, kernelsFor(last.memory));
}

/** A run, and where it lies within the chunk. */
interface Piece {
  readonly run: BlendRun;
  readonly at: number;
  readonly end: number;
}

function piecesOf({ runs, quantization }: BlendJob): Piece[] {
  const group = GROUPS[quantization?.format ?? 'f32'].elements;
  const pieces: Piece[] = [];
  let at = 0;
  for (const run of runs) {
    at = run.at ?? at;
    pieces.push({ run, at, end: at + run.length });
    at += Math.ceil(run.length / group) * group;
  }
  return pieces;
}

/** scratch ← the blend, for the elements of `piece` from `start` to `end`. */
function compute(job: BlendJob, kernels: BlendKernels, piece: Piece, start: number, end: number) {
  const from = Math.max(piece.at, start);
  const length = Math.min(piece.end, end) - from;
  const out = job.scratchByte + (from - start) * 4;
  const fast = job.fastByte + from * 4;
  const { stepSize } = piece.run;
  // s + 1·(f − s) is not f in floating point when their exponents lie far apart.
  if (stepSize === 1) {
    kernels.copy(fast, out, length);
    return;
  }
  let slow = job.slowByte + from * 4;
  if (job.quantization !== undefined) {
    kernels.dequantize(job.quantization.format, quantizedByte(job, from), out, length);
    slow = out;
  }
  if (stepSize === 0) kernels.copy(slow, out, length);
  else kernels.blend(slow, fast, out, length, stepSize);
}

/** slow ← scratch, rounded if it is quantized, for the elements of `piece` from `start` to `end`. */
function store(job: BlendJob, kernels: BlendKernels, piece: Piece, start: number, end: number) {
  const from = Math.max(piece.at, start);
  const length = Math.min(piece.end, end) - from;
  const scratch = job.scratchByte + (from - start) * 4;
  if (job.quantization === undefined) {
    kernels.copy(scratch, job.slowByte + from * 4, length);
  } else quantize(job, kernels, piece, from, length, scratch);
}

/** slow ← the floats at `values`, rounded, for `length` elements of `piece` from element `from` of the chunk on. */
function quantize(
  job: BlendJob,
  kernels: BlendKernels,
  { run: { item = 0, start = 0 }, at }: Piece,
  from: number,
  length: number,
  values: number,
): void {
  const { format, round } = job.quantization!;
  const draw = { item, round };
  kernels.quantize(format, values, quantizedByte(job, from), length, start + from - at, draw);
}

/** The first byte of the group that begins with element `at` of the chunk. */
function quantizedByte({ slowByte, quantization }: BlendJob, at: number): number {
  const { elements, bytes } = GROUPS[quantization!.format];
  return slowByte + (at / elements) * bytes;
}

function progressOf(job: BlendJob): Int32Array {
  return new Int32Array(job.memory.buffer, job.progressByte, 1);
}
