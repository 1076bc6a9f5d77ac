import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { adagrad, adam, adamw, lion, momentum, rmsprop, sgd } from '#src/optimizers/index.js';
import { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import { halfSquare, onEveryEngine, valuesOf } from '../engines.js';

const ALL: [string, (options: object) => WeightwiseOptimizer][] = [
  ['sgd', sgd],
  ['momentum', momentum],
  ['rmsprop', () => rmsprop({ momentum: 0.5, centered: true })],
  ['adagrad', adagrad],
  ['adam', adam],
  ['adamw', adamw],
  ['lion', lion],
];

onEveryEngine(() => {
  let before = 0;
  beforeEach(() => {
    before = tf.memory().numTensors;
  });
  afterEach(() => {
    tf.disposeVariables();
    expect(tf.memory().numTensors).toBe(before); // no test leaves a tensor behind
  });

  const weight = (values: number[], trainable = true, name?: string) =>
    tf.tidy(() => tf.variable(tf.tensor1d(values), trainable, name));
  const loss =
    (...weights: tf.Variable[]) =>
    () =>
      weights.map(halfSquare).reduce((a, b) => tf.add<tf.Scalar>(a, b));

  test.each(ALL)('%s: 100 steps, in a tidy and outside, leave nothing behind', (_, make) => {
    const a = weight([1, 2]);
    const b = weight([3]);
    for (const options of [{}, { clipNorm: 0.1 }, { clipValue: 0.1 }]) {
      const optimizer = make(options);
      optimizer.minimize(loss(a, b), false, [a, b]);
      const after = tf.memory().numTensors;
      for (let step = 0; step < 50; step++) {
        optimizer.minimize(loss(a, b), false, [a, b]);
        tf.tidy(() => void optimizer.minimize(loss(a, b), true, [a, b]));
      }
      expect(tf.memory().numTensors).toBe(after);
      optimizer.dispose();
      optimizer.dispose();
      expect(tf.memory().numTensors).toBe(before + 2);
    }
  });

  test('slots made in a tidy survive it', () => {
    const x = weight([1]);
    const optimizer = momentum({ learningRate: 1, momentum: 0.5 });
    tf.tidy(() => void optimizer.minimize(loss(x), false, [x])); // m = 1, x = 0
    optimizer.minimize(loss(x), false, [x]); // m = .5, x = −.5
    expect(valuesOf(x)).toEqual([-0.5]);
  });

  test('minimize returns the cost before the step, or null', () => {
    const x = weight([3, 4]);
    const optimizer = sgd({ learningRate: 1 });
    const cost = optimizer.minimize(loss(x), true, [x]);
    expect(cost && valuesOf(cost)).toEqual([12.5]);
    cost?.dispose();
    expect(optimizer.minimize(loss(x))).toBeNull();
    expect(valuesOf(x)).toEqual([0, 0]);
  });

  test('without a list all trainable variables train, frozen ones and those without gradient do not', () => {
    const [a, frozen, unused] = [weight([2]), weight([2], false), weight([2])];
    const optimizer = momentum({ learningRate: 0.5 });
    optimizer.minimize(loss(a, frozen));
    expect([a, frozen, unused].map((w) => valuesOf(w)[0])).toEqual([1, 2, 2]);
    expect(optimizer.state().map((slot) => slot.weight)).toEqual([a]);
  });

  test('state goes with the variable, whatever the list', () => {
    // μ = ½. m of a: 1, 1.5; of b: 10, 15, 17.5, 18.75.
    const [a, b] = [weight([10]), weight([20])];
    const optimizer = momentum({ learningRate: 1, momentum: 0.5 });
    const one = tf.tensor1d([1]);
    const ten = tf.tensor1d([10]);
    const both = () => [...valuesOf(a), ...valuesOf(b)];
    optimizer.applyGradients([
      { name: a.name, tensor: one },
      { name: b.name, tensor: ten },
    ]);
    expect(both()).toEqual([9, 10]);
    optimizer.applyGradients({ [b.name]: ten });
    expect(both()).toEqual([9, -5]);
    optimizer.applyGradients([
      { name: b.name, tensor: ten },
      { name: a.name, tensor: one },
    ]);
    expect(both()).toEqual([7.5, -22.5]);
    optimizer.applyGradients([
      { name: a.name, tensor: null },
      { name: b.name, tensor: ten },
    ]);
    expect(both()).toEqual([7.5, -41.25]);
    expect(optimizer.iterations).toBe(4);
    expect(one.isDisposed || ten.isDisposed).toBe(false); // the caller's
    tf.dispose([one, ten]);
  });

  test('bias corrections count the steps of each weight by itself', () => {
    // A first step of Adam moves by the rate, however late it comes.
    const [a, b] = [weight([1]), weight([1])];
    const optimizer = adam({ learningRate: 0.25 });
    for (let step = 0; step < 5; step++) optimizer.minimize(loss(a), false, [a]);
    optimizer.minimize(loss(b), false, [b]);
    expect(valuesOf(b)[0]).toBeCloseTo(0.75, 5);
  });

  test('a variable listed twice steps once', () => {
    const x = weight([4]);
    sgd({ learningRate: 0.5 }).minimize(loss(x), false, [x, x]);
    expect(valuesOf(x)).toEqual([2]);
  });

  test('one gradient tensor may belong to two weights', () => {
    const [a, b] = [weight([3]), weight([5])];
    const sumOf = tf.customGrad((x, y) => ({
      value: tf.add(x as tf.Tensor, y as tf.Tensor),
      gradFunc: (dy: tf.Tensor) => [dy, dy],
    }));
    sgd({ learningRate: 1 }).minimize(() => tf.sum(sumOf(a, b)), false, [a, b]);
    expect([valuesOf(a), valuesOf(b)]).toEqual([[2], [4]]);
  });

  test('a failing loss or begin changes nothing and leaves nothing behind', () => {
    const x = weight([1]);
    const optimizer = momentum();
    optimizer.minimize(loss(x), false, [x]);
    const value = valuesOf(x);
    const tensors = tf.memory().numTensors;
    const fail = () => {
      throw new Error('no loss today');
    };
    expect(() => optimizer.minimize(fail, false, [x])).toThrow('no loss today');
    expect(() => optimizer.minimize(() => tf.scalar(1), false, [x])).toThrow('connection');
    expect(() => optimizer.minimize(() => tf.square<tf.Scalar>(x as never), false, [x])).toThrow(
      'scalar',
    );
    expect(() => optimizer.minimize(loss(x), true, [x], fail)).toThrow('no loss today');
    expect(valuesOf(x)).toEqual(value);
    expect(optimizer.iterations).toBe(1);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  test('begin hears of the weights that step, before they do', () => {
    const [a, b] = [weight([1]), weight([1])];
    const heard: [tf.Variable, number[]][] = [];
    sgd().minimize(loss(a), false, [b, a], (weights) => {
      for (const w of weights) heard.push([w, valuesOf(w)]);
    });
    expect(heard).toEqual([[a, [1]]]);
  });

  test('wrong gradients are refused before anything changes', () => {
    const [a, b] = [weight([1], true, 'kernel'), weight([1], true, 'bias')];
    const optimizer = sgd({ learningRate: 1 });
    const good = tf.tensor1d([1]);
    const wide = tf.tensor1d([1, 2]);
    const gone = tf.tensor1d([1]);
    gone.dispose();
    const apply = (name: string, tensor: unknown) => () =>
      optimizer.applyGradients([
        { name: 'kernel', tensor: good },
        { name, tensor: tensor as tf.Tensor },
      ]);
    expect(apply('kernal', good)).toThrow(
      "there is no variable named 'kernal'. Did you mean 'kernel'?",
    );
    expect(apply('bias', wide)).toThrow("the gradient of 'bias' must have its shape [1], got [2].");
    expect(apply('bias', gone)).toThrow("the gradient of 'bias' is disposed.");
    expect(apply('bias', [1])).toThrow(
      "the gradient of 'bias' must be a tensor or null, got [1] (array).",
    );
    expect(apply('kernel', good)).toThrow("'kernel' is given twice.");
    expect([valuesOf(a), valuesOf(b)]).toEqual([[1], [1]]);
    tf.dispose([good, wide]);
  });

  test('clipValue limits every element', () => {
    const x = weight([0, 0, 0]);
    const gradient = tf.tensor1d([3, -0.25, -7]);
    sgd({ learningRate: 1, clipValue: 0.5 }).applyGradients({ [x.name]: gradient });
    expect(valuesOf(x)).toEqual([-0.5, 0.25, 0.5]);
    gradient.dispose();
  });

  test('clipNorm scales all gradients by one factor, and only if the norm is larger', () => {
    // The norm of (3, 0), (4) is 5; limited to 2.5 it halves.
    const step = (clipNorm: number) => {
      const [a, b] = [weight([0, 0]), weight([0])];
      const optimizer = sgd({ learningRate: 1, clipNorm });
      const gradients = { [a.name]: tf.tensor1d([3, 0]), [b.name]: tf.tensor1d([4]) };
      optimizer.applyGradients(gradients);
      tf.dispose(gradients);
      return [...valuesOf(a), ...valuesOf(b)].map((value) => value + 0);
    };
    expect(step(2.5)).toEqual([-1.5, 0, -2]);
    expect(step(5)).toEqual([-3, 0, -4]);
    expect(step(50)).toEqual([-3, 0, -4]);
  });

  test('clipping in minimize clips', () => {
    const x = weight([3, 4]);
    sgd({ learningRate: 1, clipNorm: 1 }).minimize(loss(x), false, [x]);
    expect(valuesOf(x)[0]).toBeCloseTo(2.4, 6);
    expect(valuesOf(x)[1]).toBeCloseTo(3.2, 6);
  });

  test('instanceof knows our optimizers from others', () => {
    expect(tf.train.sgd(0.1) instanceof WeightwiseOptimizer).toBe(false);
    expect(adam() instanceof WeightwiseOptimizer).toBe(true);
    expect(adam() instanceof tf.Optimizer).toBe(true);
    expect((null as unknown) instanceof WeightwiseOptimizer).toBe(false);
    before = tf.memory().numTensors; // tf.train.sgd keeps a scalar
  });

  test('after dispose every call says so', async () => {
    const x = weight([1]);
    const optimizer = adam();
    optimizer.dispose();
    expect(() => optimizer.minimize(loss(x), false, [x])).toThrow(
      expect.objectContaining({ code: 'DISPOSED' }),
    );
    await expect(optimizer.getWeights()).rejects.toMatchObject({ code: 'DISPOSED' });
    expect(valuesOf(x)).toEqual([1]);
  });
});
