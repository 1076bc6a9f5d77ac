// A weight that is not finite never becomes a slow weight: not when it is first seen, and not from a file.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, type LookaheadOptions, loadTraining, saveTraining, sgd } from 'slowlane';
import { afterEach, describe, expect, test } from 'vitest';

import { onEveryEngine, slowOf, valuesOf } from '../../engines.js';

onEveryEngine(() => {
  afterEach(() => tf.disposeVariables());

  const variable = (value: number, name: string) =>
    tf.tidy(() => tf.variable(tf.tensor1d([value]), true, name));
  const assign = (weight: tf.Variable, value: number) =>
    tf.tidy(() => weight.assign(tf.tensor1d([value])));
  const loss = (weights: readonly tf.Variable[]) => () =>
    tf.addN(weights.map((weight) => tf.sum(weight))) as tf.Scalar;
  const refused = { code: 'NON_FINITE', details: { weight: 'b', step: 0 } };

  describe.each<LookaheadOptions>([
    { slow: 'host:f32' },
    { slow: 'device:f32' },
    { slow: 'host:f32', sync: 'inline' },
  ])('%o', (options) => {
    test.each([NaN, Infinity])(
      '%d before the first step: each call refuses it and changes nothing; finite values help',
      async (value) => {
        const [a, b] = [variable(4, 'a'), variable(value, 'b')];
        const optimizer = lookahead(sgd({ learningRate: 1 }), {
          syncPeriod: 1,
          workers: 0,
          ...options,
        });
        const weights = [a, b];
        for (const call of [
          async () => optimizer.minimize(loss(weights), false, weights),
          () => optimizer.attach(weights),
          () => optimizer.step(loss(weights), false, weights),
          () => optimizer.sync(),
          () => optimizer.withSlowWeights(() => undefined),
          () => optimizer.getWeights(),
          () => optimizer.slowWeights(),
          () => optimizer.discard(), // there is nothing to go back to
          async () => optimizer.minimize(loss(weights), false, weights),
        ]) {
          await expect(call()).rejects.toMatchObject(refused);
          expect([valuesOf(a), valuesOf(b), optimizer.iterations]).toEqual([[4], [value], 0]);
        }
        assign(b, 2);
        await optimizer.step(loss(weights), false, weights);
        expect([valuesOf(a), valuesOf(b)]).toEqual([[3.5], [1.5]]); // halfway to 3 and 1
        await optimizer.discard();
        expect((await slowOf(optimizer)).flat()).toEqual([3.5, 1.5]);
        optimizer.dispose();
      },
    );
  });

  const load = async (spoil: (state: Map<string, number>) => void) => {
    const [a, b] = [variable(4, 'a'), variable(2, 'b')];
    const options: LookaheadOptions = { syncPeriod: 4, workers: 0 };
    const optimizer = lookahead(adam({ learningRate: 0.5 }), options);
    await optimizer.step(loss([a, b]), false, [a, b]);
    const values = new Map<string, number>();
    spoil(values);
    const saved = (await optimizer.getWeights()).map(({ name, tensor }) => {
      const value = values.get(name);
      const own = value === undefined ? tensor.clone() : tf.fill(tensor.shape, value);
      return { name, tensor: own };
    });
    return { a, b, optimizer, saved };
  };

  test('a slow value of a file that is not finite: nothing is loaded', async () => {
    const { a, b, optimizer, saved } = await load((state) => state.set('slow/b', NaN));
    const before = await slowOf(optimizer);
    await expect(optimizer.setWeights(saved)).rejects.toMatchObject({
      code: 'STATE_MISMATCH',
      message: expect.stringContaining(`NaN or an infinity in the slow values of 'b'`) as unknown,
    });
    expect([optimizer.iterations, await slowOf(optimizer)]).toEqual([1, before]);
    await optimizer.discard();
    expect([valuesOf(a), valuesOf(b)]).toEqual([[4], [2]]);
  });

  test('a moment of a file that is not finite is loaded: the next sync names it, and discard() mends it', async () => {
    const { a, b, optimizer, saved } = await load((state) => state.set('inner/b/v', Infinity));
    await optimizer.setWeights(saved);
    for (let i = 0; i < 2; i++) await optimizer.step(loss([a, b]), false, [a, b]);
    await expect(optimizer.step(loss([a, b]), false, [a, b])).rejects.toMatchObject({
      code: 'NON_FINITE',
      details: { weight: 'b', slot: 'v', step: 4 },
    });
    await optimizer.discard();
    expect([valuesOf(a), valuesOf(b)]).toEqual([[4], [2]]);
    for (let i = 0; i < 4; i++) await optimizer.step(loss([a, b]), false, [a, b]);
    expect(valuesOf(b)[0]).toBeCloseTo(1, 4); // 2 → 0, and half of the way back
  });

  test('restored moments count once their weight is known, and not while it is frozen', async () => {
    const { a, b, optimizer, saved } = await load((state) => state.set('inner/b/v', Infinity));
    b.trainable = false;
    await optimizer.setWeights(saved);
    await optimizer.attach([a, b]);
    for (let i = 0; i < 3; i++) await optimizer.step(loss([a]), false, [a]);
    expect(optimizer.stats().syncs).toBe(1); // b takes no steps
    b.trainable = true;
    await optimizer.attach([a, b]);
    await optimizer.step(loss([a]), false, [a]); // b has taken none since it was loaded
    await expect(optimizer.sync({ early: true })).rejects.toMatchObject({
      details: { weight: 'b', slot: 'v' },
    });
  });

  test('fast weights of a file that are not finite: loaded, and discard() goes back', async () => {
    const [a, b] = [variable(4, 'a'), variable(2, 'b')];
    const make = () => lookahead(sgd({ learningRate: 1 }), { syncPeriod: 4, workers: 0 });
    const optimizer = make();
    const bad = () => tf.mul<tf.Scalar>(loss([a, b])(), NaN);
    await optimizer.step(bad, false, [a, b]);
    const bytes = await saveTraining(optimizer, [a, b]);
    const resumed = make();
    await loadTraining(bytes, resumed, [a, b]);
    await expect(resumed.sync({ early: true })).rejects.toMatchObject({ code: 'NON_FINITE' });
    await resumed.discard();
    expect([valuesOf(a), valuesOf(b)]).toEqual([[4], [2]]);
  });
});
