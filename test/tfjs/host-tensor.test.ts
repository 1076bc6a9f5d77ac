// What getWeights() hands out can be computed with, assigned to variables and set as weights of a model.
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, lookahead } from 'slowlane';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hostTensor } from '#src/tfjs/host-tensor.js';
import { onEveryEngine, valuesOf } from '../engines.js';

onEveryEngine(() => {
  let before = 0;
  beforeEach(() => void (before = tf.memory().numTensors));
  afterEach(() => expect(tf.memory().numTensors).toBe(before));
  const three = () => hostTensor(Float32Array.of(1, 2, 3), [3]);

  test('it is an operand: 2·(1, 2, 3) and its gradient', () => {
    const host = three();
    expect(tf.memory().numTensors).toBe(before);
    const doubled = tf.mul(host, 2);
    expect(valuesOf(doubled)).toEqual([2, 4, 6]);
    const gradient = tf.grad((x) => tf.sum(tf.square(x)))(host);
    expect(valuesOf(gradient)).toEqual([2, 4, 6]);
    tf.dispose([host, doubled, gradient]);
  });

  test('a tidy does not dispose it', () => {
    const host = three();
    const sum = tf.tidy(() => tf.sum(tf.add(host, tf.add(host, 1))));
    const again = tf.tidy(() => tf.sum(tf.add(host, 1)));
    expect([...valuesOf(sum), ...valuesOf(again)]).toEqual([15, 9]);
    tf.dispose([host, sum, again]);
  });

  test('assigned to a variable, it shares no fate with it', () => {
    const host = three();
    const weight = tf.tidy(() => tf.variable(tf.zeros<tf.Rank.R1>([3])));
    weight.assign(host as tf.Tensor1D);
    expect(valuesOf(weight)).toEqual([1, 2, 3]);
    const optimizer = adam({ learningRate: 1 });
    const gradient = tf.ones([3]);
    optimizer.applyGradients({ [weight.name]: gradient });
    expect(valuesOf(host)).toEqual([1, 2, 3]);
    const again = tf.add(host, 0);
    expect(valuesOf(again)).toEqual([1, 2, 3]);
    host.dispose();
    valuesOf(weight).forEach((value, i) => expect(value).toBeCloseTo(i, 5));
    optimizer.dispose();
    tf.dispose([weight, gradient, again]);
  });

  test('a variable is made of it, and its values are not changed with it', () => {
    const host = three();
    const weight = tf.variable(host);
    host.dispose();
    expect(valuesOf(weight)).toEqual([1, 2, 3]);
    weight.dispose();
  });

  test('disposed, it throws when it is used', () => {
    const host = three();
    host.dispose();
    expect(() => tf.add(host, 1)).toThrow('Tensor is disposed.');
    expect(() => host.dataSync()).toThrow('Tensor is disposed.');
  });

  test('after a kernel gave its data back, they are made again', () => {
    const host = three();
    tf.backend().disposeData(host.dataId);
    const sum = tf.sum(host);
    expect(valuesOf(sum)).toEqual([6]);
    tf.dispose([host, sum]);
  });
});

onEveryEngine(() => {
  test('slow weights from getWeights() become the weights of a model', async () => {
    const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 2, inputShape: [3] })] });
    const optimizer = lookahead(adam({ learningRate: 0.1 }), { syncPeriod: 3, workers: 0 });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const [x, y] = [tf.ones([4, 3]), tf.ones([4, 2])];
    const started = model.getWeights().map(valuesOf);
    const callbacks = optimizer.callbacks();
    await model.fit(x, y, { epochs: 2, batchSize: 4, verbose: 0, callbacks }); // in the middle of a cycle
    expect(model.getWeights().map(valuesOf)).not.toEqual(started);
    const saved = await optimizer.getWeights();
    const slow = saved.filter(({ name }) => name.startsWith('slow/')).map(({ tensor }) => tensor);
    model.setWeights(slow);
    expect(model.getWeights().map(valuesOf)).toEqual(started);
    await optimizer.resync();
    await model.fit(x, y, {
      epochs: 3,
      batchSize: 4,
      verbose: 0,
      callbacks: optimizer.callbacks(),
    });
    expect(slow.map(valuesOf)).toEqual(started);
    optimizer.dispose();
    tf.dispose([x, y]);
    model.dispose();
  });
});
