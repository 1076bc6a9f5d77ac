// clone() on wasm: a second holder of the same data, as on tfjs's other backends.

import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import { sgd } from 'slowlane';
import { expect, test } from 'vitest';

import { halfSquare, valuesOf } from '../../engines.js';
import { onWasm } from './compare.js';

onWasm();

test('a clone takes no bytes, and outlives its tensor', () => {
  const x = tf.tensor1d([1, 2, 3]);
  const before = tf.memory();
  const clone = x.clone();
  expect(tf.memory()).toMatchObject({
    numDataBuffers: before.numDataBuffers,
    numTensors: before.numTensors + 1,
  });
  x.dispose();
  tf.ones([3]).dispose(); // would take its place
  expect(valuesOf(clone)).toEqual([1, 2, 3]);
  clone.dispose();
  expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers - 1);
});

test('an update leaves the clone of a weight as it was, whole numbers and texts are shared too', () => {
  const weight = tf.tidy(() => tf.variable(tf.tensor1d([2, 4])));
  const clone = weight.clone();
  sgd({ learningRate: 0.5 }).minimize(() => halfSquare(weight), false, [weight]);
  expect([weight, clone].map(valuesOf)).toEqual([
    [1, 2],
    [2, 4],
  ]);
  const others = [
    tf.tensor1d([1, 2], 'int32'),
    tf.tensor1d(['a', 'b']),
    tf.tensor1d([true], 'bool'),
  ];
  const clones = others.map((x) => x.clone());
  tf.dispose(others);
  expect(clones.map((x) => [x.dtype, [...x.dataSync()]])).toEqual([
    ['int32', [1, 2]],
    ['string', ['a', 'b']],
    ['bool', [1]],
  ]);
  tf.dispose([weight, clone, clones]);
});

test('a step keeps no copy of the weight for its gradient: data of x·w and of its sum', () => {
  const [x, w] = [tf.ones([1, 10]), tf.tidy(() => tf.variable(tf.ones([10, 10])))];
  const before = tf.memory().numDataBuffers;
  let during = 0;
  const loss = () => {
    const sum = tf.sum(tf.matMul(x, w as tf.Tensor as tf.Tensor2D)) as tf.Scalar;
    during = tf.memory().numDataBuffers - before;
    return sum;
  };
  sgd().minimize(loss, false, [w]);
  expect(during).toBe(2);
  tf.dispose([x, w]);
});

test('data of another backend is shared here, and goes back', async () => {
  await tf.setBackend('cpu');
  const x = tf.tensor1d([1, 2]);
  await tf.setBackend('wasm');
  const clone = x.clone();
  expect(valuesOf(tf.tidy(() => tf.add(clone, 1)))).toEqual([2, 3]);
  await tf.setBackend('cpu');
  const sum = tf.add(x, clone);
  expect(valuesOf(sum)).toEqual([2, 4]);
  await tf.setBackend('wasm');
  tf.dispose([x, sum]);
  expect(valuesOf(clone)).toEqual([1, 2]);
  clone.dispose();
});
