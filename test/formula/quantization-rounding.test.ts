import { describe, expect, test } from 'vitest';
import { seededRandom } from '#src/cli/data/batches.js';
import { type QuantizedKind, dequantize, quantize, roundingAt } from '#src/formula/quantization.js';
import { float32 } from '#src/formula/quantized-numbers.js';

const STEPS = Array.from({ length: 256 }, (_, i) => i + 1);
const byteOf = (kind: QuantizedKind, value: number, rounding: number) =>
  quantize(kind, Math.fround(value), Math.fround(value), rounding, float32);
const bytesOf = (kind: QuantizedKind) =>
  Array.from({ length: 256 }, (_, i) => (kind === 'signed' ? i - 128 : i)).slice(
    kind === 'signed' ? 1 : 0,
  );

describe('the rounding of a step', () => {
  test('takes each of 256 thresholds once in 256 steps, and then again', () => {
    const expected = STEPS.map((_, i) => (i + 0.5) / 256);
    expect(STEPS.map(roundingAt).toSorted((a, b) => a - b)).toEqual(expected);
    expect(roundingAt(1_000_000 * 256 + 7)).toBe(roundingAt(7));
  });

  test('is even in any 16 steps: as many round up as down, but for one or two', () => {
    for (let first = 1; first <= 256; first++) {
      const up = STEPS.slice(0, 16).filter((i) => roundingAt(first + i) > 0.5).length;
      expect(Math.abs(up - 8)).toBeLessThanOrEqual(1);
    }
  });

  test.each(['signed', 'positive'] as const)('never moves what was decoded: %s', (kind) => {
    for (const byte of bytesOf(kind)) {
      const value = dequantize(kind, byte, 1, float32);
      const found = new Set(STEPS.map((step) => byteOf(kind, value, roundingAt(step))));
      expect([...found]).toEqual([byte]);
    }
  });

  test('a ratio between two bytes becomes the upper one in proportion to where it lies', () => {
    // Bent by the roots, the bytes are even: 100.25 of 127, and 200.75 of 255.
    const mean = (kind: QuantizedKind, value: number) =>
      STEPS.reduce((sum, step) => sum + byteOf(kind, value, roundingAt(step)), 0) / 256;
    expect(mean('signed', (100.25 / 127) ** 2)).toBeCloseTo(100.25, 2);
    expect(mean('signed', -((100.25 / 127) ** 2))).toBeCloseTo(-100.25, 2);
    expect(mean('positive', (200.75 / 255) ** 4)).toBeCloseTo(200.75, 2);
    // Above 0 it is at least the least.
    expect(mean('positive', (0.01 / 255) ** 4)).toBe(1);
  });
});

test('second moments follow gradients that become smaller, beside others that do not', () => {
  // v ← 0.999 v + 0.001 g², in one block; after 500 steps every other g is a tenth of what it was.
  const random = seededRandom(1);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const exact = new Float64Array(64);
  const quantized = new Float64Array(64);
  for (let step = 1; step <= 2500; step++) {
    for (const i of quantized.keys()) {
      const square = (normal() * (step > 500 && i % 2 === 1 ? 0.1 : 1)) ** 2;
      exact[i] = 0.999 * (exact[i] ?? NaN) + 0.001 * square;
      quantized[i] = 0.999 * (quantized[i] ?? NaN) + 0.001 * square;
    }
    const scale = Math.max(...quantized);
    for (const [i, v] of quantized.entries()) {
      quantized[i] =
        scale * dequantize('positive', byteOf('positive', v / scale, roundingAt(step)), 1, float32);
    }
  }
  // Of the steps, which go by 1 / √v; rounded to nearest they would be a third.
  const ratios = [...quantized].map((v, i) => Math.sqrt((exact[i] ?? NaN) / v));
  const smaller = ratios.filter((_, i) => i % 2 === 1);
  const mean = smaller.reduce((sum, ratio) => sum + ratio, 0) / smaller.length;
  expect(mean).toBeGreaterThan(0.85);
  expect(mean).toBeLessThan(1.15);
});
