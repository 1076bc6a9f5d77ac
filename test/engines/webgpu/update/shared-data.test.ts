import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { lookahead } from 'slowlane';
import type { UpdateCounts } from '#src/engines/webgpu/update/update-in-place.js';
import { updateInPlaceOn } from './in-place.js';
import { adam, momentum, sgd } from '#src/optimizers/index.js';
import { type Backend, eachWithFreshCounts, noise, portably, variableOf } from './webgpu.js';
import { halfSquare } from '../../../engines.js';

let backend: Backend;
let counts: UpdateCounts;
eachWithFreshCounts((started, fresh) => {
  backend = started;
  counts = fresh;
});

const values = async (tensor: tf.Tensor) => [...(await tensor.data())];

describe('copy on write', () => {
  test('a clone keeps the old values; the variable is copied once', async () => {
    const weight = variableOf(Float32Array.of(1, 2, 3, 4, 5));
    const clone = weight.clone();
    const optimizer = sgd({ learningRate: 0.5 });
    for (let i = 0; i < 2; i++) optimizer.minimize(() => halfSquare(weight), false, [weight]);
    expect(await values(clone)).toEqual([1, 2, 3, 4, 5]);
    expect(await values(weight)).toEqual([0.25, 0.5, 0.75, 1, 1.25]); // halved twice
    expect(counts).toMatchObject({ copies: 1, copiedBytes: 20 });
    clone.dispose();
  });

  test('two variables made of one tensor part at the first step', async () => {
    const shared = tf.tensor1d([2, 4]);
    const [a, b] = [tf.variable(shared), tf.variable(shared)];
    shared.dispose();
    sgd({ learningRate: 0.5 }).minimize(() => halfSquare(a), false, [a]);
    expect([await values(a), await values(b)]).toEqual([
      [1, 2],
      [2, 4],
    ]);
    expect(counts.copies).toBe(1);
  });

  test('a saved state stays as it was saved, and training goes on from it bit for bit', async () => {
    const weight = variableOf(noise(255, 1));
    const gradients = [1, 2, 3].map((seed) => tf.tensor1d(noise(255, seed)));
    const original = adam({ clipValue: 0.5 });
    const steps = (optimizer: tf.Optimizer, of: tf.Variable) => {
      for (const tensor of gradients) {
        optimizer.applyGradients([{ name: of.name, tensor }]);
      }
    };
    steps(original, weight);
    const saved = (await original.getWeights()).map(({ name, tensor }) => ({
      name,
      tensor: tensor instanceof tf.Variable ? tf.clone(tensor) : tensor.clone(),
    }));
    const again = tf.tidy(() => tf.variable(tf.clone(weight)));
    steps(original, weight);
    const restored = adam({ clipValue: 0.5 });
    const loading = restored.setWeights(saved);
    tf.dispose(saved.map(({ tensor }) => tensor));
    await loading;
    steps(restored, again);
    expect(await values(again)).toEqual(await values(weight));
    const slots = async (of: typeof original) =>
      Promise.all(of.state().map(({ variable }) => values(variable)));
    expect(await slots(restored)).toEqual(await slots(original));
    original.dispose();
    restored.dispose();
    tf.dispose(gradients);
  });

  // The engine of startWebGPU() takes them without a copy (blend/taken.test.ts). This is tfjs's backend, updated in place.
  test('lookahead: weights first seen by minimize are copied in that step, never again', async () => {
    const weights = [1, 2].map((seed) => variableOf(noise(10, seed)));
    const optimizer = lookahead(adam(), { syncPeriod: 2 });
    const step = () =>
      optimizer.minimize(() => tf.addN<tf.Scalar>(weights.map(halfSquare)), false, weights);
    step();
    expect(counts.copies).toBe(2); // the slow weights begin with the old data, captured later
    step();
    await optimizer.sync();
    step();
    step();
    await optimizer.sync();
    expect(counts).toMatchObject({ copies: 2, dispatches: 8 });
    optimizer.dispose();
  });

  test('lookahead: step() captures first, so nothing is copied', async () => {
    const weight = variableOf(noise(10, 1));
    const optimizer = lookahead(adam(), { syncPeriod: 2 });
    for (let i = 0; i < 4; i++) await optimizer.step(() => halfSquare(weight), false, [weight]);
    expect(counts).toMatchObject({ copies: 0, dispatches: 4 });
    optimizer.dispose();
  });
});

describe('traps of the backend', () => {
  test('the weight as its own gradient', async () => {
    const weight = variableOf(Float32Array.of(1, 2, 3, 4));
    sgd({ learningRate: 0.5 }).applyGradients({ [weight.name]: weight });
    expect(await values(weight)).toEqual([0.5, 1, 1.5, 2]);
  });

  test('whole numbers under a cast: as gradient and as weight', async () => {
    const weight = tf.tidy(() => tf.variable(tf.cast(tf.tensor1d([4, 6], 'int32'), 'float32')));
    const mask = tf.tidy(() => tf.cast(tf.greater(tf.tensor1d([1, -1]), 0), 'float32'));
    const whole = tf.tensor1d([2, 2], 'int32');
    const optimizer = sgd({ learningRate: 0.5 });
    optimizer.applyGradients({ [weight.name]: mask });
    expect(await values(weight)).toEqual([3.5, 6]);
    optimizer.applyGradients({ [weight.name]: whole });
    expect(await values(weight)).toEqual([2.5, 5]);
    tf.dispose([mask, whole]);
  });

  test('data() before, during and after a step is of its moment', async () => {
    const weight = variableOf(Float32Array.of(8));
    const optimizer = sgd({ learningRate: 0.5 });
    const step = () => optimizer.minimize(() => halfSquare(weight), false, [weight]);
    step();
    expect(await values(weight)).toEqual([4]); // leaves a copy on the host, in tfjs
    step();
    const underWay = weight.data();
    step();
    expect([...(await underWay)]).toEqual([2]);
    expect(await values(weight)).toEqual([1]);
  });

  test('weights from another backend move here', async () => {
    await tf.setBackend('cpu');
    const weight = variableOf(Float32Array.of(2, 4));
    const gradient = tf.tensor1d([1, 1]);
    await tf.setBackend('webgpu');
    sgd({ learningRate: 0.5 }).applyGradients({ [weight.name]: gradient });
    expect(await values(weight)).toEqual([1.5, 3.5]);
    gradient.dispose();
  });

  test('inside a tidy, as fit steps', async () => {
    const weight = variableOf(Float32Array.of(2, 4));
    const clone = weight.clone();
    const optimizer = momentum({ learningRate: 0.5 });
    tf.tidy(() => void optimizer.minimize(() => halfSquare(weight), false, [weight]));
    tf.tidy(() => void optimizer.minimize(() => halfSquare(weight), false, [weight]));
    // m = 2, w = 1; m = .9·2 + 1 = 2.8, w = −.4
    expect((await values(weight))[0]).toBeCloseTo(-0.4, 6);
    clone.dispose();
    optimizer.dispose();
  });

  test('only tfjs’s WebGPU backend is taken', () => {
    expect(() => updateInPlaceOn(tf.findBackend('cpu'))).toThrow(/has no device, tensorMap/);
  });

  test('without an updater the same optimizer goes on with tensor operations', async () => {
    const weight = variableOf(Float32Array.of(8));
    const optimizer = sgd({ learningRate: 0.5 });
    const step = () => optimizer.minimize(() => halfSquare(weight), false, [weight]);
    step();
    await portably(backend, async () => step());
    step();
    expect(await values(weight)).toEqual([1]); // 8 → 4 → 2 → 1
    expect(counts.dispatches).toBe(1);
  });
});
