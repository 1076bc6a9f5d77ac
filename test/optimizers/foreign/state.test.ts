// The optimizers of tf.train inside ours: which of their state is whose, and what they cannot do.

import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import { valuesOf } from '../../engines.js';
import { inner, loss, refused, saved, step, weight } from './small-steps.js';

beforeAll(() => tf.setBackend('cpu'));
beforeEach(() => tf.disposeVariables());
afterEach(() => tf.disposeVariables());

describe('the second moment', () => {
  test.each<[string, () => tf.Optimizer, number]>([
    ['Adam', () => tf.train.adam(0, 0.9, 0.5), 0],
    ['RMSProp', () => tf.train.rmsprop(0, 0.5, 0.5), 0],
    ['Adagrad', () => tf.train.adagrad(0), 0.1],
  ])('%s: of each weight its own, unbiased after two steps', async (_, make, initial) => {
    const [a, b] = [weight('a', [2]), weight('b', [3])];
    const optimizer = inner(make());
    expect(optimizer.hasSecondMoment).toBe(true);
    expect(await optimizer.secondMoment(a)).toBeNull(); // no step yet
    step(optimizer, a, b);
    step(optimizer, a, b);
    for (const w of [a, b]) {
      const moment = await optimizer.secondMoment(w);
      const [x = NaN] = valuesOf(w); // its gradient, twice
      const estimate = (valuesOf(moment?.diagonal as tf.Tensor)[0] ?? NaN) * (moment?.scale ?? NaN);
      expect(estimate).toBeCloseTo(x ** 2 + initial / 2, 5);
    }
    expect(await optimizer.secondMoment(weight('c'))).toBeNull();
  });

  test('after a reset there is none: 0 of 0 squares', async () => {
    const a = weight('a');
    const optimizer = inner(tf.train.adagrad(0.1));
    step(optimizer, a);
    await optimizer.reset();
    expect(await optimizer.secondMoment(a)).toBeNull();
  });

  test('to find it makes no tensor', async () => {
    const a = weight('a');
    const optimizer = inner(tf.train.adam(0.1));
    step(optimizer, a);
    const making = vi.spyOn(tf.engine(), 'makeTensor');
    await optimizer.secondMoment(a);
    expect(making).not.toHaveBeenCalled();
    making.mockRestore();
  });

  test('others have none', async () => {
    const a = weight('a');
    const optimizer = inner(tf.train.momentum(0.1, 0.9));
    step(optimizer, a);
    expect([optimizer.hasSecondMoment, await optimizer.secondMoment(a)]).toEqual([false, null]);
  });
});

describe('a step', () => {
  test('with a list moves these alone, and returns the loss if it is asked to', () => {
    const [a, b] = [weight('a'), weight('b')];
    const optimizer = inner(tf.train.sgd(0.5));
    expect(optimizer.moved).toEqual([]);
    const { numTensors } = tf.memory();
    expect(optimizer.minimize(loss([a, b]), false, [a])).toBeNull();
    expect(tf.memory().numTensors).toBe(numTensors);
    expect([a, b].flatMap(valuesOf)).toEqual([0.5, 1]);
    expect(optimizer.moved).toEqual([a]);
    const cost = optimizer.minimize(loss([a, b]), true, [b]) as tf.Scalar;
    expect(valuesOf(cost)).toEqual([0.625]); // ½ (¼ + 1)
    cost.dispose();
  });

  test('returns no loss by default', () => {
    expect(inner(tf.train.sgd(0.5)).minimize(loss([weight('a')]))).toBeNull();
  });

  test('with a list computes the gradients of these alone', () => {
    const [a, b] = [weight('a'), weight('b')];
    let computed = 0;
    const same = tf.customGrad((x) => ({
      value: tf.mul(x as tf.Tensor, 1),
      gradFunc: (dy: tf.Tensor) => {
        computed += 1;
        return dy;
      },
    }));
    const optimizer = inner(tf.train.sgd(0.5));
    optimizer.minimize(() => tf.sum(tf.add(a, same(b))), false, [a]);
    expect([computed, ...valuesOf(a), ...valuesOf(b)]).toEqual([0, 0.5, 1]);
  });

  test('moves weights in the order of its list, and passes over names without a gradient', () => {
    const [one, two] = [weight('1'), weight('2')];
    const optimizer = inner(tf.train.momentum(1, 0.5));
    step(optimizer, two, one);
    expect(optimizer.moved).toEqual([two, one]);
    const gradient = tf.tensor1d([1]);
    optimizer.applyGradients([
      { name: '1', tensor: gradient },
      { name: 'no weight', tensor: null },
    ]);
    expect(valuesOf(one)).toEqual([-1.5]); // 0 − (½·1 + 1)
    gradient.dispose();
  });

  test('without any weight fixes no list', () => {
    const a = weight('a');
    const optimizer = inner(tf.train.momentum(1, 0.5));
    optimizer.adopt([]);
    optimizer.applyGradients({});
    step(optimizer, a);
    expect(valuesOf(a)).toEqual([0]);
  });

  test('that is stopped before it begins leaves nothing', () => {
    const a = weight('a');
    const optimizer = inner(tf.train.sgd(0.5));
    const { numTensors } = tf.memory();
    const stop = () => {
      throw new Error('stop');
    };
    expect(() => optimizer.minimize(loss([a]), true, [a], stop)).toThrow('stop');
    expect([tf.memory().numTensors, ...valuesOf(a)]).toEqual([numTensors, 1]);
  });

  test('that breaks off says which weights and how much state have changed', () => {
    class Breaking extends tf.SGDOptimizer {
      readonly own = tf.variable(tf.scalar(0), false, 'own');
      override applyGradients(): void {
        tf.tidy(() => {
          a.assign(tf.tensor1d([9]));
          this.own.assign(tf.scalar(1));
        });
        throw new RangeError('no memory');
      }
    }
    const [a, b] = [weight('a'), weight('b')];
    const other = weight('other');
    const optimizer = inner(new Breaking(0.1));
    expect(() => step(optimizer, a, b)).toThrow(
      expect.objectContaining({
        code: 'STEP_FAILED',
        details: { changed: 1, of: 2, changedWeights: ['a'], stateChanged: 1 },
      }),
    );
    expect(valuesOf(other)).toEqual([1]);
  });

  test('of weights that are all disposed is refused; of some that are, goes on', async () => {
    const [a, b] = [weight('a'), weight('b')];
    const optimizer = inner(tf.train.momentum(0.1, 0.9));
    step(optimizer, a, b);
    b.dispose();
    step(optimizer, a);
    // 1 − 0.1·1, then 0.9 − 0.1·(0.9·1 + 0.9)
    expect(valuesOf(a)[0]).toBeCloseTo(0.72, 6);
    tf.disposeVariables();
    expect(await optimizer.state()).toEqual([]);
    const c = weight('c');
    expect(() => step(optimizer, c)).toThrow(refused);
    expect(() => step(optimizer, c)).toThrow(/made for weights that are disposed/);
  });

  test('nine new weights are refused by eight names', () => {
    const optimizer = inner(tf.train.momentum(0.1, 0.9));
    step(optimizer, weight('a'));
    const many = (n: number) => Array.from({ length: n }, (_, i) => weight(`w${n}${i}`));
    expect(() => step(optimizer, ...many(8))).toThrow(/none for \[w80,.* w87\]\./);
    expect(() => step(optimizer, ...many(9))).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/none for \[w90,.* w97, … 9 in all\]\./) as string,
        details: {
          known: ['a'],
          fresh: [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => `w9${i}`),
          optimizer: 'Momentum',
        },
      }),
    );
  });
});

describe('state by position', () => {
  test('is reset of all weights, or of none', async () => {
    const [a, b] = [weight('a'), weight('b')];
    const optimizer = inner(tf.train.momentum(0.1, 0.9));
    expect(optimizer.resetsByWeight).toBe(false);
    await optimizer.reset([a]); // nothing was seen
    step(optimizer, a, b);
    await expect(optimizer.reset([a])).rejects.toThrow(refused);
    const values = async () =>
      (await optimizer.state()).flatMap(({ variable }) => valuesOf(variable));
    expect(await values()).toEqual([1, 1]);
    await optimizer.reset([b, a]);
    expect(await values()).toEqual([0, 0]);
    step(optimizer, a, b);
    b.dispose();
    await optimizer.reset([a]);
    expect((await values())[0]).toBe(0);
    tf.disposeVariables();
    const { numTensors } = tf.memory();
    await optimizer.reset();
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  test('of one weight cannot be forgotten; of others there is nothing to forget', () => {
    const [a, b] = [weight('a'), weight('b')];
    const optimizer = inner(tf.train.momentum(0.1, 0.9));
    optimizer.forget([a]);
    step(optimizer, a);
    optimizer.forget([b]);
    expect(() => optimizer.forget([b, a])).toThrow(refused);
  });

  test('has to be within the weights that are given', async () => {
    const [a, b] = [weight('a'), weight('b')];
    const optimizer = inner(tf.train.momentum(0.1, 0.9));
    optimizer.assertWithin([]);
    step(optimizer, a);
    optimizer.assertWithin([a, b]);
    expect(() => optimizer.assertWithin([b])).toThrow(/state of 'a'/);
    const file = await saved(optimizer);
    const other = inner(tf.train.momentum(0.1, 0.9));
    await other.setWeights(file);
    expect(() => other.assertWithin([a])).toThrow(/a weight that was restored/);
    other.meet([a], { isWhole: false });
    other.assertWithin([a]);
    expect(() => other.assertWithin([b])).toThrow(/state of 'a'/);
    const adamax = inner(tf.train.adamax(0.1));
    step(adamax, b);
    adamax.assertWithin([]);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('that is not in groups of one variable for each weight is refused', async () => {
    let state: { name: string; tensor: tf.Tensor }[] = [];
    class Custom extends tf.SGDOptimizer {
      override getClassName(): string {
        return 'Custom';
      }
      override getWeights(): Promise<{ name: string; tensor: tf.Tensor }[]> {
        return Promise.resolve(state);
      }
    }
    const [a, b] = [weight('a', [1, 2]), weight('b')];
    const optimizer = inner(new Custom(0.1));
    step(optimizer, a, b);
    expect(await optimizer.state()).toEqual([]);
    const [s, t] = [weight('s', [0, 0]), weight('t')];
    const of = (...all: tf.Tensor[]) =>
      (state = all.map((tensor, i) => ({ name: `x${i}/s`, tensor })));
    of(s, t);
    expect((await optimizer.state()).map((one) => [one.weight, one.variable])).toEqual([
      [a, s],
      [b, t],
    ]);
    of(t, s); // the shapes of each other
    await expect(Promise.resolve(optimizer.state())).rejects.toMatchObject({
      code: 'UNSUPPORTED_INNER',
      details: { state: 'x0/s' },
    });
    of(s, t, s); // one too many
    await expect(Promise.resolve(optimizer.state())).rejects.toThrow(
      /number 0 of 3\) belongs to none/,
    );
    const plain = tf.tensor1d([1]);
    of(s, plain);
    await expect(Promise.resolve(optimizer.state())).rejects.toThrow(
      /'x1\/s' \(shape \[1\], number 1 of 2/,
    );
    plain.dispose();
  });

  test('of a class of others is listed without its step count, and reset if it is variables', async () => {
    const [a, s] = [weight('a', [1, 2]), weight('s', [3, 4])];
    let count = tf.scalar(1, 'int32');
    const state: tf.Tensor[] = [s];
    class Custom extends tf.SGDOptimizer {
      override getClassName(): string {
        return 'Custom';
      }
      override getWeights(): Promise<{ name: string; tensor: tf.Tensor }[]> {
        count = tf.scalar(1, 'int32');
        return Promise.resolve([
          { name: 'iter', tensor: count },
          ...state.map((tensor) => ({ name: 'a/s', tensor })),
        ]);
      }
    }
    count.dispose();
    const optimizer = inner(new Custom(0.1));
    expect(await optimizer.state()).toEqual([]); // of weights that nobody knows yet
    step(optimizer, a);
    expect((await optimizer.state()).map(({ variable }) => variable)).toEqual([s]);
    expect(count.isDisposed).toBe(true);
    await optimizer.reset();
    expect([...valuesOf(s), optimizer.iterations]).toEqual([0, 0, 0]);
    state[0] = tf.tensor1d([3, 4]);
    await expect(optimizer.reset()).rejects.toMatchObject({
      code: 'UNSUPPORTED_INNER',
      details: { state: 'a/s' },
    });
    state[0].dispose();
  });
});
