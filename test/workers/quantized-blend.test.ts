// The blend of a chunk whose slow weights are quantized: slow gets the rounded result, fast the unrounded one.
import { describe, expect, test } from 'vitest';
import {
  beginChunk,
  blendAtOnce,
  blendChunk,
  type BlendJob,
  type BlendRun,
  stagingParts,
} from '#workers/blend.js';
import { CODECS } from '#workers/codecs/codec.js';
import { GROUPS, type QuantizedFormat, storedBytes } from '#workers/codecs/value-format.js';
import { blendPlain, plainKernels } from '#workers/plain-kernels.js';
import { simdKernels } from '#workers/simd-kernels.js';
import { BLOCK_LENGTH, bits, noise } from './chunk.js';
import { completes, stoppingAt } from './stopping.js';

const FORMATS: readonly QuantizedFormat[] = ['f16r8', 'f16', 'bf16', 'int8'];
const ROUND = 9;

/** Two weights; the second has an end in mid-group, and the first begins in mid-weight. */
const RUNS: readonly BlendRun[] = [
  { length: BLOCK_LENGTH - 256, stepSize: 0.5, item: 3, start: 512 },
  { length: 0, stepSize: 0.5, item: 4, start: 0 },
  { length: BLOCK_LENGTH + 37, stepSize: 1 / 3, item: 5, start: 0 },
  { length: 300, stepSize: 1, item: 6, start: 0 },
];

interface QuantizedChunk {
  readonly job: BlendJob;
  readonly slow: Uint8Array;
  readonly fast: Float32Array;
}

/** Where each run begins, in elements, and where the last ends. */
function places(format: QuantizedFormat): number[] {
  const { elements } = GROUPS[format];
  const ends = [0];
  for (const { length } of RUNS)
    ends.push((ends.at(-1) as number) + Math.ceil(length / elements) * elements);
  return ends;
}

function quantizedChunk(format: QuantizedFormat): QuantizedChunk {
  const total = places(format).at(-1) as number;
  const parts = stagingParts(64 * 1024, 4 * 4096);
  const memory = new WebAssembly.Memory({ initial: 3, maximum: 3, shared: true });
  const quantization = { format, round: ROUND };
  const job = { memory, memoryId: 1, slowByte: 64, ...parts, runs: RUNS, quantization };
  const slow = new Uint8Array(memory.buffer, 64, storedBytes(format, total));
  CODECS[format].encode(noise(total, 1), slow, 0, { item: 0, round: 1 });
  const fast = new Float32Array(memory.buffer, job.fastByte, total);
  fast.set(noise(total, 2));
  new Float32Array(memory.buffer, job.scratchByte, BLOCK_LENGTH).fill(NaN);
  beginChunk(job);
  return { job, slow, fast };
}

/** What it must give, run by run. */
function expected(format: QuantizedFormat) {
  const { slow, fast } = quantizedChunk(format);
  const group = GROUPS[format];
  const results = RUNS.map(({ length, stepSize, item = 0, start = 0 }, i) => {
    const at = places(format)[i] as number;
    const byte = (at / group.elements) * group.bytes;
    const quantized = slow.subarray(byte, byte + storedBytes(format, length));
    const s = new Float32Array(length);
    CODECS[format].decode(quantized, s);
    const f = fast.subarray(at, at + length);
    const unrounded = new Float32Array(length);
    if (stepSize === 1) unrounded.set(f);
    else blendPlain(s, f, unrounded, stepSize);
    CODECS[format].encode(unrounded, quantized, start, { item, round: ROUND });
    return unrounded;
  });
  return { slow: Buffer.from(slow), fast: results.map(bits) };
}

function fastOf(format: QuantizedFormat, { fast }: QuantizedChunk): number[][] {
  return RUNS.map(({ length }, i) => {
    const at = places(format)[i] as number;
    return bits(fast.subarray(at, at + length));
  });
}

describe.each(FORMATS)('%s', (format) => {
  test.each([
    ['plain loops, block by block', plainKernels, blendChunk],
    ['SIMD, block by block', simdKernels, blendChunk],
    ['plain loops, at once', plainKernels, blendAtOnce],
    ['SIMD, at once', simdKernels, blendAtOnce],
  ])('slow: the rounded blend, fast: the blend, in every run (%s)', (_, make, blend) => {
    const want = expected(format);
    const chunk = quantizedChunk(format);
    blend(chunk.job, make(chunk.job.memory));
    expect(want.slow.equals(chunk.slow)).toBe(true);
    expect(fastOf(format, chunk)).toEqual(want.fast);
  });

  test('stopped at any stage and run again, a chunk ends with the same bits', () => {
    const want = expected(format);
    let stages = 0;
    for (let done = false; !done; stages++) {
      const chunk = quantizedChunk(format);
      const kernels = simdKernels(chunk.job.memory);
      done = completes(chunk.job, stoppingAt(stages, kernels));
      if (!done) blendChunk(chunk.job, kernels);
      expect(want.slow.equals(chunk.slow), `slow, stopped at stage ${stages}`).toBe(true);
      expect(fastOf(format, chunk), `fast, stopped at stage ${stages}`).toEqual(want.fast);
    }
    // 3 blocks of 2, 2 and 1 or 2 pieces; each has more than one call of 3 stages.
    expect(stages).toBeGreaterThan(30);
  });

  test.each([
    ['block by block', blendChunk],
    ['at once', blendAtOnce],
  ])('α = 0 leaves what is stored, to the bit, and fast has it (%s)', (_, blend) => {
    const chunk = quantizedChunk(format);
    const before = Buffer.from(chunk.slow);
    const runs = RUNS.map((run) => ({ ...run, stepSize: 0 }));
    blend({ ...chunk.job, runs });
    expect(before.equals(chunk.slow)).toBe(true);
    const first = new Float32Array(8);
    CODECS[format].decode(chunk.slow, first);
    expect(bits(chunk.fast.subarray(0, 8))).toEqual(bits(first));
  });
});

test.each([
  ['block by block', blendChunk],
  ['at once', blendAtOnce],
])('α = 1 takes the fast weights themselves, far as the slow ones are (%s)', (_, blend) => {
  const { job, slow, fast } = quantizedChunk('bf16');
  CODECS.bf16.encode(new Float32Array(300).fill(1e30), slow, 0, { item: 0, round: 1 });
  fast.fill(1);
  blend({ ...job, runs: [{ length: 300, stepSize: 1, item: 6, start: 0 }] });
  expect(new Set(fast.subarray(0, 300))).toEqual(new Set([1]));
});
