import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type BlendKernels, blendPlain, plainKernels } from '#workers/plain-kernels.js';
import { isShared, kernelsFor, simdKernels } from '#workers/simd-kernels.js';
import { bits } from './chunk.js';

const stepSizes = [0, 1, 0.5, 0.8, 1 / 3, 1e-3];
const edges = [
  0,
  -0,
  1,
  -1,
  1 / 3,
  1.4e-45,
  -1.4e-45,
  1e-40,
  3e38,
  -3e38,
  3.4028234663852886e38,
  16777217,
];

interface Bench {
  readonly memory: WebAssembly.Memory;
  readonly floats: Float32Array;
}
function bench(shared: boolean, pages = 1): Bench {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared });
  return { memory, floats: new Float32Array(memory.buffer) };
}

/** Runs a kernel on s and f, each at an odd place, and returns what it wrote. */
function run(
  { floats }: Bench,
  kernels: BlendKernels,
  s: Float32Array,
  f: Float32Array,
  a: number,
): Float32Array {
  floats.fill(7);
  floats.set(s, 1);
  floats.set(f, 2003);
  kernels.blend(4, 8012, 16028, s.length, a); // floats 1, 2003, 4007
  expect(bits(floats.slice(1, 1 + s.length))).toEqual(bits(s));
  expect(bits(floats.slice(2003, 2003 + s.length))).toEqual(bits(f));
  expect([floats[4006], floats[4007 + s.length]]).toEqual([7, 7]);
  return floats.slice(4007, 4007 + s.length);
}

test('the plain loop is the formula: 1 + .5·(2 − 1) = 1.5, 3 + .25·(−1 − 3) = 2', () => {
  const out = new Float32Array(2);
  blendPlain(Float32Array.of(1, 3), Float32Array.of(2, -1), out, 0.5);
  expect([...out]).toEqual([1.5, 1]);
  blendPlain(Float32Array.of(1, 3), Float32Array.of(2, -1), out, 0.25);
  expect([...out]).toEqual([1.25, 2]);
});

describe.each([
  ['SIMD, shared memory', true, simdKernels],
  ['SIMD, unshared memory', false, simdKernels],
  ['plain loops, shared memory', true, plainKernels],
  ['plain loops, unshared memory', false, plainKernels],
] as const)('%s', (_name, shared, make) => {
  const place = bench(shared);
  const kernels = make(place.memory);

  test('equal the plain loop to the bit for lengths 0 … 70 and every edge of float32', () => {
    for (let length = 0; length <= 70; length++) {
      const s = Float32Array.from({ length }, (_, i) => edges[i % edges.length]!);
      const f = Float32Array.from({ length }, (_, i) => edges[(i * 5 + length) % edges.length]!);
      for (const a of stepSizes) {
        const out = new Float32Array(length);
        blendPlain(s, f, out, a);
        expect(bits(run(place, kernels, s, f, a)), `length ${length}, α ${a}`).toEqual(bits(out));
      }
    }
  });

  test('equal the plain loop to the bit for any floats', () => {
    const pair = fc.tuple(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.float({ noNaN: true, noDefaultInfinity: true }),
    );
    fc.assert(
      fc.property(
        fc.array(pair, { maxLength: 70 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (pairs, a) => {
          const s = Float32Array.from(pairs, ([x]) => x);
          const f = Float32Array.from(pairs, ([, y]) => y);
          const out = new Float32Array(s.length);
          blendPlain(s, f, out, a);
          expect(bits(run(place, kernels, s, f, a))).toEqual(bits(out));
        },
      ),
    );
  });

  test('α = 0 gives slow, α = 1 gives fast, fast = slow gives itself, and ±3e38 do not overflow', () => {
    const s = Float32Array.of(1 / 3, 3e38, -3e38, 1e-45, 5);
    const f = Float32Array.of(1e8, -3e38, 3e38, -1e-45, 5);
    expect(bits(run(place, kernels, s, f, 0))).toEqual(bits(s));
    expect(bits(run(place, kernels, s, f, 1))).toEqual(bits(f));
    for (const a of stepSizes) expect(bits(run(place, kernels, f, f, a))).toEqual(bits(f));
    expect([...run(place, kernels, s, f, 0.5)].slice(1, 3)).toEqual([0, 0]); // 3e38 + .5·(−6e38)
  });

  test('out may be slow', () => {
    place.floats.set([1, 2, 3, 4, 5, 9, 9, 9, 9, 9]);
    kernels.blend(0, 20, 0, 5, 0.5);
    expect(Array.from(place.floats.subarray(0, 5))).toEqual([5, 5.5, 6, 6.5, 7]);
  });

  test('copy copies, and neither touches anything for length 0', () => {
    place.floats.set([1, 2, 3, 4, 5, 0, 0, 0, 0, 0]);
    kernels.copy(0, 20, 3);
    expect(Array.from(place.floats.subarray(5, 9))).toEqual([1, 2, 3, 0]);
    kernels.copy(0, 32, 0);
    kernels.blend(0, 4, 32, 0, 0.5);
    expect(place.floats[8]).toBe(0);
  });

  test('work on what the memory grew by', () => {
    const small = bench(shared);
    const grown = make(small.memory);
    small.memory.grow(1);
    new Float32Array(small.memory.buffer).set([1, 2, 3], 20000);
    grown.copy(80000, 90000, 3);
    expect([...new Float32Array(small.memory.buffer, 90000, 3)]).toEqual([1, 2, 3]);
  });
});

test('shared is what other threads can see, and nothing where there is no shared memory', () => {
  expect([true, false].map((shared) => isShared(bench(shared).memory))).toEqual([true, false]);
  const { memory } = bench(false);
  vi.stubGlobal('SharedArrayBuffer', undefined);
  expect(isShared(memory)).toBe(false);
  vi.unstubAllGlobals();
});

test('kernels are started once per memory', () => {
  const { memory } = bench(true);
  expect(kernelsFor(memory)).toBe(kernelsFor(memory));
});

test('a memory whose kernels cannot start gets the plain loops', () => {
  // A memory to the plain loops, and none to WebAssembly.
  const memory: WebAssembly.Memory = Object.create(WebAssembly.Memory.prototype, {
    buffer: { value: new ArrayBuffer(64) },
  });
  new Float32Array(memory.buffer).set([1, 3]);
  kernelsFor(memory).blend(0, 4, 8, 1, 0.5);
  expect(new Float32Array(memory.buffer)[2]).toBe(2);
});
