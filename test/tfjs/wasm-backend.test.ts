import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it } from 'vitest';

import { isWasmBackend, type WasmBackend, wroteInPlace } from '../../src/tfjs/wasm-backend.js';

let backend: WasmBackend;

beforeAll(async () => {
  await tf.setBackend('wasm');
  const current = tf.backend();
  if (!isWasmBackend(current)) throw new Error('The current backend is not wasm.');
  backend = current;
});

afterEach(() => {
  expect(tf.memory().numTensors).toBe(0);
});

/** Each is linear in the weight, and XNNPACK packs the weight for it. */
const LAYERS: Readonly<
  Record<
    string,
    { readonly shape: number[]; run: (x: tf.Tensor4D, weight: tf.Tensor) => tf.Tensor }
  >
> = {
  conv2d: { shape: [3, 3, 2, 2], run: (x, w) => tf.conv2d(x, w as tf.Tensor4D, 1, 'same') },
  depthwiseConv2d: {
    shape: [3, 3, 2, 1],
    run: (x, w) => tf.depthwiseConv2d(x, w as tf.Tensor4D, 1, 'same'),
  },
  'fused conv2d': {
    shape: [3, 3, 2, 2],
    run: (x, w) =>
      tf.fused.conv2d({
        x,
        filter: w as tf.Tensor4D,
        strides: 1,
        pad: 'same',
        bias: tf.zeros([2]),
      }),
  },
  'the bias of a fused conv2d': {
    shape: [2],
    run: (x, w) =>
      tf.fused.conv2d({ x, filter: tf.zeros([3, 3, 2, 2]), strides: 1, pad: 'same', bias: w }),
  },
  prelu: { shape: [2], run: (x, w) => tf.prelu(tf.neg(x), w) },
  matMul: { shape: [2, 3], run: (x, w) => tf.matMul(tf.reshape(x, [16, 2]), w as tf.Tensor2D) },
};

it.each(Object.entries(LAYERS))(
  '%s sees a weight that was multiplied by −3 in its place, 4 times',
  (_, { shape, run }) => {
    tf.tidy(() => {
      const x = tf.ones<tf.Rank.R4>([1, 4, 4, 2]);
      const weight = tf.variable(tf.ones(shape));
      const first = run(x, weight).dataSync();
      expect(first[0]).not.toBe(0);
      for (let power = 1; power <= 4; power += 1) {
        const values = backend.typedArrayFromHeap(weight);
        for (const [i, value] of values.entries()) values[i] = -3 * value;
        wroteInPlace(backend, weight);
        tf.ones([1000]); // it would take the place of a weight that was freed
        expect([...run(x, weight).dataSync()]).toEqual(
          Array.from(first, (value) => (-3) ** power * value),
        );
      }
      weight.dispose();
    });
  },
);
