// The codecs in WebAssembly equal the plain ones to the bit.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CODECS } from '#workers/codecs/codec.js';
import {
  GROUPS,
  largestIn,
  type QuantizedFormat,
  storedBytes,
} from '#workers/codecs/value-format.js';
import { sharedModules, unsharedModules } from '#workers/kernels-wasm.js';
import { simdKernels } from '#workers/simd-kernels.js';
import { noise } from './chunk.js';

const FORMATS: readonly QuantizedFormat[] = ['f16r8', 'f16', 'bf16', 'int8'];
const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
const kernels = simdKernels(memory);
const FLOATS = 16;
const PACKED = 65_536;

test('each module can be compiled on a browser’s main thread: at most 4 KiB', () => {
  for (const modules of [sharedModules, unsharedModules]) {
    for (const base64 of Object.values(modules)) {
      expect(atob(base64).length).toBeLessThanOrEqual(4096);
    }
  }
});

/** Neither read nor written: padding, and what lies behind. */
const UNTOUCHED = 0xaa;

/** Packs with both and unpacks with both. `shift`: words by which both areas lie off 16 bytes. */
function expectSame(
  format: QuantizedFormat,
  values: Float32Array,
  start: number,
  round: number,
  shift = 0,
) {
  const draw = { item: 7, round };
  const [floatsByte, packedByte] = [FLOATS + 4 * shift, PACKED + 4 * shift];
  const want = new Uint8Array(storedBytes(format, values.length)).fill(UNTOUCHED);
  CODECS[format].encode(values, want, start, draw);
  const floats = new Float32Array(memory.buffer, floatsByte, values.length + 4).fill(NaN);
  floats.set(values);
  const quantized = new Uint8Array(memory.buffer, packedByte, want.length + 16).fill(UNTOUCHED);
  kernels.quantize(format, floatsByte, packedByte, values.length, start, draw);
  expect(Buffer.from(quantized.subarray(0, want.length)).equals(want)).toBe(true);
  expect(quantized.subarray(want.length).every((byte) => byte === UNTOUCHED)).toBe(true);
  expectSameValues(format, want, values.length, shift);
}

function expectSameValues(
  format: QuantizedFormat,
  quantized: Uint8Array,
  length: number,
  shift = 0,
) {
  const [floatsByte, packedByte] = [FLOATS + 4 * shift, PACKED + 4 * shift];
  const want = new Float32Array(length + 4).fill(-7);
  CODECS[format].decode(quantized, want.subarray(0, length));
  new Uint8Array(memory.buffer, packedByte, quantized.length).set(quantized);
  new Float32Array(memory.buffer, floatsByte, length + 4).fill(-7);
  kernels.dequantize(format, packedByte, floatsByte, length);
  const floats = Buffer.from(memory.buffer, floatsByte, 4 * (length + 4));
  expect(floats.equals(Buffer.from(want.buffer))).toBe(true);
}

/** Where a format or its kernel changes its way, and one float32 step beside it. */
function edgesOf(format: QuantizedFormat): readonly number[] {
  const powers = [-149, -140, -127, -126, -125, -103, -102, -25, -24, -15, -14, -13, -1, 0, 1, 15];
  const places = [...powers.map((power) => 2 ** power), 1 + 2 ** -11, 1 + 2 ** -8, 1 / 3, 65503];
  const view = new Uint32Array(Float32Array.from([...places, largestIn(format)]).buffer);
  const beside = Uint32Array.from([...view].flatMap((word) => [word - 1, word, word + 1]));
  const magnitudes = [0, ...new Float32Array(beside.buffer)].filter((x) => x <= largestIn(format));
  return magnitudes.flatMap((x) => [x, -x]);
}

describe.each(FORMATS)('%s', (format) => {
  const limit = largestIn(format);

  test('every edge in every lane, with every draw of a lane and every tail', () => {
    const edges = edgesOf(format);
    const group = GROUPS[format].elements;
    for (let length = 0; length <= 70; length++) {
      for (let turn = 0; turn < 4; turn++) {
        const first = length * 3 + turn;
        const values = Float32Array.from({ length }, (_, i) => edges[(first + i) % edges.length]!);
        expectSame(format, values, (first % 9) * group, first, turn);
      }
    }
    // Whole blocks of int8 of each size of numbers, with tails behind them.
    for (let edge = 0; edge < edges.length; edge++) {
      const largest = Math.abs(edges[edge]!);
      const some = edges.filter((x) => Math.abs(x) <= largest);
      const length = 256 + (edge % 260);
      const values = Float32Array.from({ length }, (_, i) => some[(i * 7 + edge) % some.length]!);
      expectSame(format, values, 256 * edge, edge);
    }
  });

  test('a number that repeats, so that only the draws differ', () => {
    for (const x of [...edgesOf(format), 0.1, -0.7, 3e-5, -1e-6]) {
      expectSame(format, new Float32Array(64).fill(x), 2 ** 20, 3);
    }
  });

  test('any floats, any length, at any place of their variable', () => {
    const float = fc.float({ noNaN: true, min: -Math.fround(limit), max: Math.fround(limit) });
    const groups = fc.integer({ min: 0, max: 2 ** 20 });
    fc.assert(
      fc.property(fc.array(float, { maxLength: 600 }), groups, fc.nat(), (given, group, round) => {
        expectSame(format, Float32Array.from(given), group * GROUPS[format].elements, round);
      }),
      { numRuns: 300 },
    );
  });

  test('waves of every size', () => {
    for (let exponent = -140; exponent < 15; exponent++) {
      const values = noise(1024, exponent).map((x) => x * 2 ** exponent);
      expectSame(format, values, 0, exponent + 200);
    }
  });

  test('every second float32 step around powers of two, from a half to 16 and around 2⁻¹⁴', () => {
    const view = new Uint32Array(4096);
    for (const power of [0.5, 1, 2, 8, 2 ** -14, 2 ** -15, 2 ** -24]) {
      const middle = new Uint32Array(Float32Array.of(power).buffer)[0] as number;
      for (let page = -3; page < 3; page++) {
        for (let i = 0; i < view.length; i++) view[i] = middle + 2 * (page * 4096 + i);
        expectSame(format, new Float32Array(view.buffer), 0, page + 3);
      }
    }
  });
});

describe('all codes', () => {
  /** What 16 bits may be, without infinity and NaN of `exponent`. */
  const halves = (exponent: number) =>
    Uint16Array.from({ length: 65_536 }, (_, half) => half).filter(
      (half) => (half & exponent) !== exponent,
    );

  test.each([
    ['f16', 0x7c00],
    ['bf16', 0x7f80],
  ] as const)('of %s', (format, exponent) => {
    const all = halves(exponent);
    for (let at = 0; at < all.length; at += 8192) {
      const some = all.slice(at, at + 8192);
      expectSameValues(format, new Uint8Array(some.buffer), some.length);
      const values = new Float32Array(some.length);
      CODECS[format].decode(new Uint8Array(some.buffer), values);
      expectSame(format, values, at, 1);
    }
  });

  test('of f16r8: every fp16, each with residuals of both signs', () => {
    const all = halves(0x7c00);
    const length = 8192;
    for (let at = 0; at + length <= all.length; at += length) {
      const groups = new Uint8Array(length * 3);
      const words = new Uint16Array(groups.buffer);
      for (let i = 0; i < length; i++) {
        words[(i >> 2) * 6 + (i & 3)] = all[at + i]!;
        const residual = ((i * 37) % 255) - 127;
        const isZero = (all[at + i]! & 0x7fff) === 0; // nothing lies below it
        groups[(i >> 2) * 12 + 8 + (i & 3)] = isZero ? Math.abs(residual) : residual;
      }
      expectSameValues('f16r8', groups, length);
    }
  });

  test('of int8, by largest magnitudes of every mantissa’s rest by 127 and of every exponent', () => {
    const block = new Uint8Array(260);
    const [codes, largest] = [new Int8Array(block.buffer, 4), new Uint32Array(block.buffer, 0, 1)];
    for (let i = 0; i < 256; i++) codes[i] = (i % 255) - 127;
    for (let i = 0; i < 254; i++) {
      largest[0] = ((i + 1) << 23) | ((i * 66_049 + i) & 0x7fffff);
      expectSameValues('int8', block, 256);
    }
  });
});

test('int8: what lies on the grid and one step beside it, for every code and 254 largest magnitudes', () => {
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  for (let i = 0; i < 254; i++) {
    word[0] = ((i + 1) << 23) | (Math.imul(i, 0x9e37_79b1) >>> 9);
    const largest = float[0]!;
    const values = new Float32Array(256).fill(largest, 0, 1);
    for (let q = 1; q < 128; q++) {
      float[0] = (largest * q) / 127;
      word[0]! -= q % 3; // on the step below it, or one or two under that
      values[q] = float[0];
      word[0]! += 1;
      values[q + 127] = -float[0];
    }
    if (i > 1) expectSame('int8', values, 0, i);
  }
});
