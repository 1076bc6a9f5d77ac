import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import {
  BLOCK,
  LEAST_SCALE,
  type QuantizedKind,
  NEAREST,
  dequantize,
  roundingAt,
} from '#src/formula/quantization.js';
import { dequantizeNumbers, float32 } from '#src/formula/quantized-numbers.js';
import {
  checkExactIntegers,
  dequantizeTensor,
  quantizeTensor,
} from '#src/formula/quantized-tensors.js';
import { onEveryEngine } from '../engines.js';
import { bytesIn, quantizeNumbers, spread } from './quantization-reference.js';

const CODES: readonly QuantizedKind[] = ['signed', 'positive'];
const bytesOf = (kind: QuantizedKind) =>
  kind === 'signed'
    ? Array.from({ length: 255 }, (_, i) => i - 127)
    : Array.from({ length: 256 }, (_, i) => i);
/** Each byte once, and so the largest too: one block with this scale. */
const everyByte = (kind: QuantizedKind, scale: number) => {
  const values = bytesOf(kind).map((byte) => dequantize(kind, byte, Math.fround(scale), float32));
  return Float32Array.from({ length: BLOCK }, (_, i) => values[i] ?? 0);
};
const through = (kind: QuantizedKind, values: Float32Array) => {
  const { words, scales } = quantizeNumbers(kind, values);
  return dequantizeNumbers(kind, words, scales, values.length);
};

describe.each(CODES)('%s bytes', (kind) => {
  test('rise with their values, from the smallest to the largest', () => {
    const values = bytesOf(kind).map((byte) => dequantize(kind, byte, 1, float32));
    for (const [i, value] of values.entries()) {
      if (i > 0) expect(value).toBeGreaterThan(values[i - 1] ?? NaN);
    }
    expect(values[0]).toBe(kind === 'signed' ? -1 : 0);
    expect(values.at(-1)).toBe(1);
  });

  // 2⁻⁹⁰ = 8e-28: below that the smallest positive values of a block are all the least one, 2⁻¹²⁶.
  test.each([1, 3e-5, 2 ** -90, 0.1, 7, 1e38, 3.4e38])(
    'all come back at a scale of %f',
    (scale) => {
      const values = everyByte(kind, scale);
      const { bytes, scales } = quantizeNumbers(kind, values);
      expect(bytes.slice(0, bytesOf(kind).length)).toEqual(bytesOf(kind));
      expect([...scales]).toEqual([Math.fround(scale)]);
      expect(through(kind, values)).toEqual(values);
    },
  );

  test.each([LEAST_SCALE, 1e-37])('at a scale of %f nothing is lost either', (scale) => {
    const values = everyByte(kind, scale);
    const once = through(kind, values);
    for (const [i, value] of values.entries()) {
      expect(once[i] === 0).toBe(value === 0);
      expect(Math.sign(once[i] ?? NaN)).toBe(Math.sign(value));
    }
    expect(quantizeNumbers(kind, once).scales).toEqual(quantizeNumbers(kind, values).scales);
  });

  test('a scale of 1e-38 is one of 2⁻¹²⁶ = 1.2e-38, within the steps of the code', () => {
    const values = everyByte(kind, 1).map((x) => x * 1e-38);
    for (const [i, value] of through(kind, values).entries()) {
      expect(Math.abs(value - (values[i] ?? NaN))).toBeLessThanOrEqual(LEAST_SCALE);
    }
  });

  test('a value goes to a byte beside it, and larger values never to smaller ones', () => {
    const table = bytesOf(kind).map((byte) => dequantize(kind, byte, 1, float32));
    const values = spread(20_000, kind).toSorted();
    const { bytes } = quantizeNumbers(kind, Float32Array.of(1, ...values.subarray(0, 255)));
    expect(bytes[0]).toBe(bytesOf(kind).at(-1));
    let [last, at] = [-Infinity, 0];
    for (const value of values) {
      const byte = quantizeNumbers(kind, Float32Array.of(value, 1)).bytes[0] ?? NaN;
      expect(byte).toBeGreaterThanOrEqual(last);
      last = byte;
      while (at + 1 < table.length && (table[at + 1] ?? NaN) <= value) at += 1;
      expect([table[at], table[at + 1]]).toContain(dequantize(kind, byte, 1, float32));
    }
  });

  test('zeros stay zeros', () => {
    expect(through(kind, new Float32Array(300))).toEqual(new Float32Array(300));
  });

  test('what is not finite spoils its block and no other', () => {
    for (const bad of [NaN, Infinity]) {
      const values = new Float32Array(2 * BLOCK).fill(0.5);
      values[3] = bad;
      const decodedValues = through(kind, values);
      expect(decodedValues.subarray(0, BLOCK).every((x) => !Number.isFinite(x))).toBe(true);
      expect(decodedValues.subarray(BLOCK)).toEqual(values.subarray(BLOCK));
    }
  });
});

test('a second moment above 0 never becomes 0', () => {
  for (const top of [1e-38, 1e-30, 1e-10, 1, 1e10, 1e38]) {
    for (const low of [1e-38, 1e-30, 1e-20, 1e-10]) {
      const [, value] = through('positive', Float32Array.of(top, low, 0));
      expect(value).toBeGreaterThan(0);
    }
  }
  expect(through('positive', Float32Array.of(1, 0))[1]).toBe(0);
});

test('signed moments below 1.5e-5 of the largest become 0, others keep their sign', () => {
  const values = Float32Array.of(1, 1.6e-5, -1.6e-5, 1.5e-5, -1.5e-5);
  expect([...through('signed', values)].map(Math.sign).map(Math.abs)).toEqual([1, 1, 1, 0, 0]);
  expect(Math.sign(through('signed', values)[2] ?? NaN)).toBe(-1);
});

onEveryEngine(() => {
  test.each(CODES)('tensors give the words and scales of the numbers: %s', async (kind) => {
    for (const [i, size] of [4096, 4097, 5000, 70_000].entries()) {
      const rounding = i === 0 ? NEAREST : roundingAt(i);
      const values = spread(size, kind);
      values.subarray(512, 768).fill(0);
      const expected = quantizeNumbers(kind, values, rounding);
      const [words, scales, back] = tf.tidy(() => {
        const quantized = quantizeTensor(kind, tf.tensor1d(values), rounding);
        return [
          quantized.words,
          quantized.scales,
          dequantizeTensor(kind, quantized.words, quantized.scales, [size]),
        ];
      });
      expect(bytesIn(await words.data<'int32'>(), size)).toEqual(bytesIn(expected.words, size));
      expect(await words.data()).toEqual(expected.words);
      expect(await scales.data()).toEqual(expected.scales);
      expect(await back.data()).toEqual(
        dequantizeNumbers(kind, expected.words, expected.scales, size),
      );
      tf.dispose([words, scales, back]);
    }
  });

  test('a tensor of whole blocks is not copied to fill or to cut the last one', async () => {
    const opsFor = async (size: number) => {
      const values = tf.tensor1d(spread(size, 'signed'));
      const { kernelNames } = await tf.profile(() =>
        tf.tidy(() => {
          const { words, scales } = quantizeTensor('signed', values, NEAREST);
          return dequantizeTensor('signed', words, scales, [size]);
        }),
      );
      values.dispose();
      return kernelNames.filter((name) => name === 'PadV2' || name === 'Slice');
    };
    expect(await opsFor(2 * BLOCK + 1)).toEqual(['PadV2', 'Slice']);
    expect(await opsFor(2 * BLOCK)).toEqual([]);
  });

  test.each(CODES)('tensors at the ends of float32: %s', async (kind) => {
    for (const scale of [1e-38, LEAST_SCALE, 1e-20, 1e38, 3.4e38]) {
      const values = everyByte(kind, 1).map((x) => x * scale);
      const expected = quantizeNumbers(kind, values);
      const input = tf.tensor1d(values);
      const { words, scales } = quantizeTensor(kind, input, NEAREST);
      expect(await words.data()).toEqual(expected.words);
      expect(await scales.data()).toEqual(expected.scales);
      tf.dispose([input, words, scales]);
    }
  });
});

test.each(['webgl', 'webgpu'])(
  '%s of TensorFlow.js rounds whole numbers, and is refused',
  async (name) => {
    tf.registerBackend(name, () => Object.assign(new tf.KernelBackend(), { dispose() {} }));
    try {
      expect(await tf.setBackend(name)).toBe(true);
      expect(() => checkExactIntegers()).toThrow(
        expect.objectContaining({
          code: 'UNSUPPORTED',
          details: { backend: name },
          message: expect.stringContaining(`tfjs's '${name}' backend rounds`),
        }),
      );
      await tf.setBackend('cpu');
      expect(() => checkExactIntegers()).not.toThrow();
    } finally {
      tf.removeBackend(name);
    }
  },
);
