// State that was restored into an optimizer of tf.train: whose it is, before its weights are known and after.

import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import type { ForeignInner } from '#src/optimizers/foreign.js';
import { valuesOf } from '../../engines.js';
import { inner, refused, saved, step, weight } from './small-steps.js';

beforeAll(() => tf.setBackend('cpu'));
beforeEach(() => tf.disposeVariables());
afterEach(() => tf.disposeVariables());

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
