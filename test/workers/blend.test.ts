import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import blendInWorker, {
  beginChunk,
  BLOCK_BYTES,
  type BlendJob,
  blendAtOnce,
  blendChunk,
  STAGING_BYTES_ABOVE_CHUNK,
  stagingParts,
} from '#workers/blend.js';
import { plainKernels } from '#workers/plain-kernels.js';
import { simdKernels } from '#workers/simd-kernels.js';
import { BLOCK_LENGTH, bits, blended, chunkOf, noise } from './chunk.js';
import { completes, stoppingAt } from './stopping.js';

const kinds = [
  ['SIMD', simdKernels],
  ['plain loops', plainKernels],
] as const;

test('the slow weights go half of the way and the fast weights go back to them', () => {
  const { job, slow, fast } = chunkOf([3, 0, 1], [1, 4, 1], [{ length: 3, stepSize: 0.5 }]);
  blendChunk(job);
  expect([...slow]).toEqual([2, 2, 1]); // 3→2, 0→2, 1→1
  expect([...fast]).toEqual([2, 2, 1]);
});

test('each run has its own step size, also within one block, and runs may be empty', () => {
  const runs = [
    { length: 0, stepSize: 0.9 },
    { length: 1, stepSize: 0.25 },
    { length: 2, stepSize: 1 },
    { length: 0, stepSize: 0.9 },
    { length: 1, stepSize: 0 },
    { length: 0, stepSize: 0.9 },
  ];
  const { job, slow, fast } = chunkOf([0, 0, 0, 0], [4, 4, 4, 4], runs);
  blendChunk(job);
  expect([...slow]).toEqual([1, 4, 4, 0]);
  expect([...fast]).toEqual([1, 4, 4, 0]);
});

test.each([
  ['block by block', blendChunk],
  ['at once', blendAtOnce],
])('α = 1 takes the fast weight itself, and α = 0 leaves −0 as it is (%s)', (_, blend) => {
  const runs = [
    { length: 1, stepSize: 1 },
    { length: 1, stepSize: 0 },
  ];
  const { job, slow, fast } = chunkOf([1e30, -0], [1, 5], runs);
  blend(job);
  expect([...slow]).toEqual([1, -0]); // 10³⁰ + (1 − 10³⁰) would be 0, and −0 + 0 · 5 is 0
  expect([...fast]).toEqual([1, -0]);
});

test.each([[[]], [[{ length: 0, stepSize: 0.5 }]]])(
  'a chunk without weights (%j) is done at once',
  (runs) => {
    const { job } = chunkOf([], [], runs);
    blendChunk(job);
    blendChunk(job);
  },
);

test('a staging slot is fast weights, scratch and progress, one after the other', () => {
  expect(stagingParts(128, 256)).toEqual({
    fastByte: 128,
    scratchByte: 384,
    progressByte: 384 + BLOCK_BYTES,
  });
  expect(stagingParts(0, 0).progressByte + 4).toBeLessThanOrEqual(STAGING_BYTES_ABOVE_CHUNK);
});

describe.each(kinds)('%s', (_name, make) => {
  test.each([true, false])(
    'any chunk in any split into runs equals the plain loop (shared: %s)',
    (shared) => {
      const split = fc.array(
        fc.record({
          length: fc.oneof(
            fc.nat(9),
            fc.nat(3 * BLOCK_LENGTH),
            fc.constantFrom(0, BLOCK_LENGTH - 1, BLOCK_LENGTH),
          ),
          stepSize: fc.oneof(
            fc.constantFrom(0, 1, 0.5, 1 / 3),
            fc.double({ min: 0, max: 1, noNaN: true }),
          ),
        }),
        { maxLength: 6 },
      );
      fc.assert(
        fc.property(split, fc.nat(100), (runs, seed) => {
          const total = runs.reduce((sum, run) => sum + run.length, 0);
          const s = noise(total, seed);
          const f = noise(total, seed + 0.5);
          const want = blended(s, f, runs);
          for (const blend of [blendChunk, blendAtOnce]) {
            const { job, slow, fast } = chunkOf(s, f, runs, { shared });
            blend(job, make(job.memory));
            expect(Buffer.compare(bytes(slow), bytes(want))).toBe(0);
            expect(Buffer.compare(bytes(fast), bytes(want))).toBe(0);
          }
        }),
      );
    },
  );

  test('stopped at any stage and run again, a chunk ends with the same bits', () => {
    // 2 blocks and a tail of 5; the second run begins and ends within blocks: 3 blocks, 5 pieces,
    // 39 stages
    const runs = [
      { length: BLOCK_LENGTH - 3, stepSize: 0.5 },
      { length: BLOCK_LENGTH + 5, stepSize: 0.8 },
      { length: 3, stepSize: 1 / 3 },
    ];
    const total = 2 * BLOCK_LENGTH + 5;
    const s = noise(total, 1);
    const f = noise(total, 2);
    const want = bits(blended(s, f, runs));
    let stages = 0;
    for (let done = false; !done; stages++) {
      const { job, slow, fast } = chunkOf(s, f, runs);
      const kernels = make(job.memory);
      done = completes(job, stoppingAt(stages, kernels));
      if (!done) blendChunk(job, kernels);
      expect(bits(slow), `slow, stopped at stage ${stages}`).toEqual(want);
      expect(bits(fast), `fast, stopped at stage ${stages}`).toEqual(want);
    }
    // 3 stages for each piece computed, each piece stored, and each block of fast weights.
    expect(stages - 1).toBe(3 * (5 + 5 + 3));
  });

  test('elements between two runs, and behind the last, keep their slow values', () => {
    const total = BLOCK_LENGTH + 10;
    const [s, f] = [noise(total, 1), noise(total, 2)];
    const runs = [
      { at: 0, length: 1, stepSize: 0.5 },
      { at: 5, length: BLOCK_LENGTH, stepSize: 0.5 },
    ];
    const { job, slow } = chunkOf(s, f, runs);
    blendChunk(job, make(job.memory));
    const want = [...s].map((value, i) => {
      const isBlended = i === 0 || (i >= 5 && i < BLOCK_LENGTH + 5);
      return isBlended ? Math.fround(value + 0.5 * ((f[i] as number) - value)) : value;
    });
    expect([...slow].slice(0, total)).toEqual(want);
  });

  test('stopped again and again, with a little more done each time, a chunk still ends with the same bits', () => {
    const s = noise(2 * BLOCK_LENGTH, 3);
    const f = noise(2 * BLOCK_LENGTH, 4);
    const runs = [{ length: 2 * BLOCK_LENGTH, stepSize: 0.5 }];
    const { job, slow, fast } = chunkOf(s, f, runs);
    let stage = 0;
    while (!completes(job, stoppingAt(stage, make(job.memory)))) stage++;
    expect(bits(slow)).toEqual(bits(blended(s, f, runs)));
    expect(bits(fast)).toEqual(bits(slow));
  });
});

test('a run that ends with its block has no part in the next one', () => {
  const runs = [0.5, 0.25].map((stepSize) => ({ length: BLOCK_LENGTH, stepSize }));
  const zeros = new Float32Array(2 * BLOCK_LENGTH);
  const { job } = chunkOf(zeros, zeros, runs);
  const kernels = simdKernels(job.memory);
  const [blend, copy] = [vi.spyOn(kernels, 'blend'), vi.spyOn(kernels, 'copy')];
  blendChunk(job, kernels);
  expect(blend.mock.calls.map(([, , , count, stepSize]) => [count, stepSize])).toEqual([
    [BLOCK_LENGTH, 0.5],
    [BLOCK_LENGTH, 0.25],
  ]);
  expect(copy).toHaveBeenCalledTimes(4); // each block to slow, and to fast
});

test('a thread starts its kernels once for all clones of a memory, and anew for another one', () => {
  const instances = vi.spyOn(WebAssembly, 'Instance');
  const { port1, port2 } = new MessageChannel();
  const cloned = (job: BlendJob): BlendJob => {
    port1.postMessage(job);
    return (receiveMessageOnPort(port2) as { message: BlendJob }).message;
  };
  const started = [3, 5].map((value) => {
    const { job, slow, fast } = chunkOf([0], [2 * value], [{ length: 1, stepSize: 0.5 }]);
    blendInWorker(cloned(job));
    expect(slow[0]).toBe(value); // 0 + ½ · 2 · value
    fast[0] = 3 * value;
    beginChunk(job);
    blendInWorker(cloned(job));
    expect(slow[0]).toBe(2 * value); // value + ½ · (3 · value − value)
    return instances.mock.calls.length;
  });
  expect(started).toEqual([1, 2]);
  port1.close();
  instances.mockRestore();
});

test('a chunk that is done is not blended a second time', () => {
  const { job, slow, fast } = chunkOf([0], [4], [{ length: 1, stepSize: 0.5 }]);
  blendChunk(job);
  fast[0] = 100;
  blendChunk(job);
  expect([slow[0], fast[0]]).toEqual([2, 100]);
});

test.each(kinds)('positions above 2 GiB work (%s)', (_name, make) => {
  // Only the pages that are touched take memory.
  const runs = [{ length: 7, stepSize: 0.5 }];
  const { job, slow, fast } = chunkOf([1, 2, 3, 4, 5, 6, 7], [3, 4, 5, 6, 7, 8, 9], runs, {
    offset: 2 ** 31 + 64,
  });
  blendChunk(job, make(job.memory));
  expect([...slow]).toEqual([2, 3, 4, 5, 6, 7, 8]);
  expect([...fast]).toEqual([2, 3, 4, 5, 6, 7, 8]);
});

test('a chunk at the very end of a full 4 GiB memory works', () => {
  const memory = new WebAssembly.Memory({ initial: 65536, maximum: 65536, shared: true });
  const end = 2 ** 32;
  const parts = stagingParts(end - 128 - STAGING_BYTES_ABOVE_CHUNK, 64);
  const job = {
    memory,
    memoryId: 0,
    slowByte: end - 16,
    ...parts,
    runs: [{ length: 4, stepSize: 0.5 }],
  };
  const slow = new Float32Array(memory.buffer, job.slowByte, 4);
  new Float32Array(memory.buffer, job.fastByte, 4).fill(4);
  blendChunk(job);
  expect([...slow]).toEqual([2, 2, 2, 2]);
});

function bytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

describe.each(kinds)('exact to the bit, with %s', (_, kernels) => {
  // 1 + 1·(f − 1) is not f for f = 1.2345678e-10, in double precision neither.
  const slow = Float32Array.of(1, -0, 3e38, -1e-40, 0, 2, -0);
  const fast = Float32Array.of(1.2345678e-10, 1, -3e38, 1e30, -0, 7e-38, -0);
  const blend = (f: Float32Array, stepSize: number) => {
    const chunk = chunkOf(slow, f, [{ length: slow.length, stepSize }]);
    blendChunk(chunk.job, kernels(chunk.job.memory));
    return [bits(chunk.slow), bits(chunk.fast)];
  };

  test('α = 1 gives the fast weights', () => {
    expect(blend(fast, 1)).toEqual([bits(fast), bits(fast)]);
  });

  test('α = 0 gives the slow weights', () => {
    expect(blend(fast, 0)).toEqual([bits(slow), bits(slow)]);
  });

  test('weights that are equal stay as they are, −0 too', () => {
    for (const stepSize of [0.1, 0.5, 1 / 3]) {
      expect(blend(slow, stepSize)).toEqual([bits(slow), bits(slow)]);
    }
  });
});
