// The optimizers of tf.train inside ours: which of their state is whose, and what they cannot do.

import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import { asInner, type ForeignInner } from '#src/optimizers/foreign.js';
import '../engines.js';
import { halfSquare, valuesOf } from '../engines.js';

beforeAll(() => tf.setBackend('cpu'));
beforeEach(() => tf.disposeVariables());
afterEach(() => tf.disposeVariables());

const weight = (name: string, values = [1]) =>
  tf.tidy(() => tf.variable(tf.tensor1d(values), true, name));
const inner = (optimizer: tf.Optimizer) => asInner(optimizer) as ForeignInner;
/** ½ Σ x²: the gradient of x is x. */
const loss = (weights: readonly tf.Variable[]) => () =>
  tf.addN(weights.map(halfSquare)) as tf.Scalar;
const step = (of: ForeignInner, ...weights: tf.Variable[]) =>
  of.minimize(loss(weights), false, weights);
const refused = expect.objectContaining({ code: 'UNSUPPORTED_INNER' });
const saved = async (of: ForeignInner) =>
  (await of.getWeights()).map(({ name, tensor }) => ({ name, tensor: tensor.clone() }));

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

describe('restored state', () => {
  const make = () => inner(tf.train.momentum(0, 0.5));
  /** Momenta 1 of a and 2 of b. */
  const train = async (a: tf.Variable, b: tf.Variable) => {
    const optimizer = make();
    step(optimizer, a, b);
    const file = await saved(optimizer);
    optimizer.dispose();
    return file;
  };
  const momenta = async (of: ForeignInner) =>
    (await of.state()).map((one) => [one.weight.name, ...valuesOf(one.variable)]);

  test('is of the places of its weights, in whatever order they come', async () => {
    const [a, b, c] = [weight('a', [1]), weight('b', [2]), weight('c', [4])];
    const file = await train(a, b);
    const optimizer = make();
    await optimizer.setWeights(file);
    expect(await optimizer.state()).toEqual([]); // nobody knows whose
    optimizer.meet([a], { isWhole: false });
    expect(await optimizer.state()).toEqual([]); // not of all
    expect(() => step(optimizer, a)).toThrow(/1 weights \('b' \[1\]\), 1 are to be trained/);
    optimizer.meet([b], { isWhole: false });
    expect(await momenta(optimizer)).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    optimizer.adopt([b, c, a]);
    optimizer.meet([c], { isWhole: false }); // decided
    expect(() => optimizer.adopt([weight('d')])).toThrow(refused);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('into one that has trained: its places count, and its old state is freed', async () => {
    const [a, b] = [weight('a', [1]), weight('b', [2])];
    const file = await train(a, b);
    const optimizer = make();
    step(optimizer, b, a);
    step(optimizer, b, a);
    const { numTensors } = tf.memory();
    await optimizer.setWeights(file);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(await momenta(optimizer)).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(optimizer.iterations).toBe(1);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('prepared and left: nothing has changed, and its copies are gone', async () => {
    const [a, b] = [weight('a', [1]), weight('b', [2])];
    const file = await train(a, b);
    const optimizer = make();
    step(optimizer, b, a);
    const { numTensors } = tf.memory();
    (await optimizer.prepare(file)).dispose();
    const torn = file.slice(0, 2);
    await expect(optimizer.prepare([...torn, ...torn])).rejects.toMatchObject({
      code: 'STATE_MISMATCH',
    });
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(await momenta(optimizer)).toEqual([
      ['b', 2],
      ['a', 1],
    ]);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('of which all owners are known is theirs at once, whatever their names', async () => {
    const [a, b] = [weight('a', [1]), weight('b', [2])];
    const file = await train(a, b);
    const optimizer = make();
    const known = new Map([
      ['a', b],
      ['b', a],
    ]);
    await (await optimizer.prepare(file, known)).commit();
    expect(await momenta(optimizer)).toEqual([
      ['b', 1],
      ['a', 2],
    ]);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('of weights that were disposed since: others may come', async () => {
    const [a, b] = [weight('a', [1]), weight('b', [2])];
    const file = await train(a, b);
    const optimizer = make();
    step(optimizer, weight('x'), weight('y'));
    for (const name of ['x', 'y']) tf.engine().registeredVariables[name]?.dispose();
    await optimizer.setWeights(file);
    optimizer.adopt([b, a]);
    expect(await momenta(optimizer)).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('is of its weights as soon as it has met them: none can be reset or forgotten alone', async () => {
    const [a, b] = [weight('a', [1]), weight('b', [2])];
    const file = await train(a, b);
    const optimizer = make();
    await optimizer.setWeights(file);
    await expect(optimizer.reset([a])).rejects.toThrow(refused); // nobody knows whose
    optimizer.meet([a, b], { isWhole: false });
    await expect(optimizer.reset([a])).rejects.toThrow(refused);
    expect(() => optimizer.forget([a])).toThrow(refused);
    expect(await momenta(optimizer)).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('is reset before it has met its weights, too', async () => {
    const [a, b] = [weight('a', [1]), weight('b', [2])];
    const file = await train(a, b);
    const optimizer = make();
    await optimizer.setWeights(file);
    await optimizer.reset();
    optimizer.meet([a, b], { isWhole: false });
    expect(await momenta(optimizer)).toEqual([
      ['a', 0],
      ['b', 0],
    ]);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('of a whole model is matched by its order, whatever else there is', async () => {
    // The second model has the numbers that tfjs counted on to.
    const [a, b] = [weight('dense_Dense1/kernel'), weight('dense_Dense2/kernel', [2])];
    const file = await train(a, b);
    const [c, d] = [weight('dense_Dense3/kernel'), weight('dense_Dense4/kernel')];
    weight('dense_Dense5/kernel'); // of neither
    const optimizer = make();
    await optimizer.setWeights(file);
    expect(() => optimizer.meet([c, d], { isWhole: false })).toThrow(
      expect.objectContaining({ code: 'STATE_MISMATCH' }),
    );
    optimizer.meet([c, d], { isWhole: true });
    expect(await momenta(optimizer)).toEqual([
      [c.name, 1],
      [d.name, 2],
    ]);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('of which all owners are known has places for these alone', async () => {
    const [a, b] = [weight('a', [1]), weight('b', [2])];
    const file = await train(a, b);
    const optimizer = make();
    const known = new Map([
      ['a', a],
      ['b', b],
    ]);
    await (await optimizer.prepare(file, known)).commit();
    expect(() => optimizer.adopt([a, b, weight('c')])).toThrow(refused);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('none, into one that has trained: it begins anew, with any weights', async () => {
    const optimizer = make();
    step(optimizer, weight('a'));
    await optimizer.setWeights(await make().getWeights());
    expect(await optimizer.state()).toEqual([]);
    step(optimizer, weight('b', [2]));
    expect(await momenta(optimizer)).toEqual([['b', 2]]);
  });

  test('none, over some that waits for its weights: there is nothing to wait for', async () => {
    const file = await train(weight('a', [1]), weight('b', [2]));
    const optimizer = make();
    await optimizer.setWeights(file);
    await optimizer.setWeights(await make().getWeights());
    step(optimizer, weight('c', [3]));
    expect(await momenta(optimizer)).toEqual([['c', 3]]);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('frees nothing of others that have taken a name of old state', async () => {
    const file = await train(weight('a', [1]), weight('b', [2]));
    const optimizer = make();
    step(optimizer, weight('x'), weight('y'));
    const [old = ''] = (await optimizer.state()).map(({ variable }) => variable.name);
    tf.disposeVariables();
    const own = weight(old);
    await optimizer.setWeights(file);
    expect(tf.engine().registeredVariables[old]).toBe(own);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('of a class of others: only the optimizer knows whose it is', async () => {
    class Custom extends tf.MomentumOptimizer {
      override getClassName(): string {
        return 'Custom';
      }
    }
    const [a, b] = [weight('a', [1]), weight('b', [2])];
    const optimizer = inner(new Custom(0, 0.5));
    step(optimizer, a, b);
    const file = await saved(optimizer);
    step(optimizer, a, b);
    await optimizer.setWeights(file);
    expect(await momenta(optimizer)).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    tf.dispose(file.map(({ tensor }) => tensor));
  });

  test('none, from before the first step', async () => {
    const optimizer = make();
    await optimizer.setWeights(await make().getWeights());
    step(optimizer, weight('a'));
    expect(await momenta(optimizer)).toEqual([['a', 1]]);
  });

  test('whose variables were disposed cannot be saved', async () => {
    const optimizer = make();
    step(optimizer, weight('a'));
    tf.disposeVariables();
    await expect(optimizer.getWeights()).rejects.toThrow(/disposed/);
  });
});
