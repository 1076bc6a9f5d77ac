// Kernels that work element by element: the bits of tfjs's cpu backend, where tfjs's own on wasm are wrong.

import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';

import { onWasm } from './compare.js';

onWasm();

const ODD = [NaN, 0, -0, 1e-45, -1e-45, 1e-8, -1e-8, 1, -1, 5, -5, 3e38, Infinity, -Infinity];

/** Of float32 without elements, with one to three, and with some in fours. */
const SIZES = [0, 1, 2, 3, 4, 14, 31];

async function onBoth(run: (x: tf.Tensor) => tf.Tensor, dtype: 'float32' | 'int32') {
  const results: unknown[] = [];
  for (const backend of ['cpu', 'wasm']) {
    await tf.setBackend(backend);
    results.push(
      SIZES.map((size) =>
        tf.tidy(() => {
          const numbers = Array.from({ length: size }, (_, i) => ODD[i % ODD.length] ?? 0);
          const whole = numbers.map((x) => (Math.abs(x) <= 5 ? Math.round(x) : 2 ** 30));
          const result = run(tf.tensor1d(dtype === 'int32' ? whole : numbers, dtype));
          return [result.dtype, [...result.dataSync()]];
        }),
      ),
    );
  }
  return { cpu: results[0], wasm: results[1] };
}

test.each([
  [-2, 3],
  [0, 1],
  [-0.1, 0.1],
  [-2.5, 2.5],
])(
  'clipByValue from %d to %d: NaN stays NaN, and whole numbers are clipped too',
  async (low, high) => {
    for (const dtype of ['float32', 'int32'] as const) {
      const { cpu, wasm } = await onBoth((x) => tf.clipByValue(x, low, high), dtype);
      expect(wasm).toEqual(cpu);
    }
  },
);

test('sign: ±1 of the smallest numbers too, 0 of NaN', async () => {
  for (const dtype of ['float32', 'int32'] as const) {
    const { cpu, wasm } = await onBoth(tf.sign, dtype);
    expect(wasm).toEqual(cpu);
  }
  expect([...tf.tidy(() => tf.sign(tf.tensor1d([1e-45, -1e-45, NaN]))).dataSync()]).toEqual([
    1, -1, 0,
  ]);
});
