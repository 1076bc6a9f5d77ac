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
import { sharedKernels } from '#workers/kernels-wasm.js';
import { simdKernels } from '#workers/simd-kernels.js';
import { bits, noise } from './chunk.js';

const FORMATS: readonly QuantizedFormat[] = ['f16r8', 'f16', 'bf16', 'int8'];
const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
const kernels = simdKernels(memory);
const FLOATS = 16;
const PACKED = 65_536;

test('all kernels together can be compiled on a browser’s main thread: at most 4 KiB', () => {
  expect(atob(sharedKernels).length).toBeLessThanOrEqual(4096);
});

/** Packs with both and unpacks with both. */
function expectSame(format: QuantizedFormat, values: Float32Array, start: number, round: number) {
  const draw = { item: 7, round };
  const want = new Uint8Array(storedBytes(format, values.length));
  CODECS[format].encode(values, want, start, draw);
  new Float32Array(memory.buffer, FLOATS, values.length).set(values);
  const quantized = new Uint8Array(memory.buffer, PACKED, want.length + 4).fill(0);
  kernels.quantize(format, FLOATS, PACKED, values.length, start, draw);
  expect(Buffer.from(quantized.subarray(0, want.length)).equals(want)).toBe(true);
  expect(quantized[want.length]).toBe(0); // and nothing behind it
  const back = new Float32Array(values.length);
  CODECS[format].decode(want, back);
  kernels.dequantize(format, PACKED, FLOATS, values.length);
  const floats = new Float32Array(memory.buffer, FLOATS, values.length);
  expect(bits(floats)).toEqual(bits(back));
}

describe.each(FORMATS)('%s', (format) => {
  const limit = largestIn(format);

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
