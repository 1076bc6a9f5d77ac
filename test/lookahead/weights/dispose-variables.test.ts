// tf.disposeVariables() frees weights and inner state behind our back, and leaves `isDisposed` false.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, momentum, type LookaheadOptions, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import { halfSquare, onEveryEngine, valuesOf } from '../../engines.js';

onEveryEngine(() => {
  /** Four steps of new weights, two cycles; the name is the same in each run. */
  const run = async (optimizer: {
    step(f: () => tf.Scalar, returnCost: boolean, varList: tf.Variable[]): unknown;
  }): Promise<number[]> => {
    const w = tf.tidy(() => tf.variable(tf.ones([3]), true, 'of-each-run'));
    for (let i = 0; i < 4; i++) await optimizer.step(() => halfSquare(w), false, [w]);
    const values = valuesOf(w);
    tf.disposeVariables();
    return values;
  };
  const plain = (optimizer: tf.Optimizer) => ({
    step: (f: () => tf.Scalar, cost: boolean, list: tf.Variable[]) =>
      optimizer.minimize(f, cost, list),
  });
  const options: LookaheadOptions = { syncPeriod: 2, workers: 0 };

  test.each<[string, () => Parameters<typeof run>[0]]>([
    ['sgd', () => plain(sgd({ learningRate: 0.1 }))],
    ['adam', () => plain(adam({ learningRate: 0.1 }))],
    ['adam in 8 bits', () => plain(adam({ learningRate: 0.1, moments: 'device:q8' }))],
    ['lookahead(sgd)', () => lookahead(sgd({ learningRate: 0.1 }), options)],
    ['lookahead(tf.train.sgd)', () => lookahead(tf.train.sgd(0.1), options)],
    ['lookahead(adam)', () => lookahead(adam({ learningRate: 0.1 }), options)],
    [
      'device:f32',
      () => lookahead(adam({ learningRate: 0.1 }), { ...options, slow: 'device:f32' }),
    ],
    [
      'interpolate',
      () =>
        lookahead(momentum({ learningRate: 0.1, momentum: 0.9 }), {
          ...options,
          innerState: 'interpolate',
        }),
    ],
  ])('between two runs with one optimizer, the second is like the first: %s', async (_, make) => {
    const optimizer = make();
    const first = await run(optimizer);
    expect(await run(optimizer)).toEqual(first);
  });

  test('everything else that a Lookahead can be asked for works then, and leaks nothing', async () => {
    const { numTensors } = tf.memory();
    const optimizer = lookahead(adam({ learningRate: 0.1 }), options);
    await run(optimizer);
    await optimizer.sync({ early: true });
    await optimizer.withSlowWeights(() => {});
    expect((await optimizer.getWeights()).filter(({ name }) => name.startsWith('slow'))).toEqual(
      [],
    );
    await optimizer.resync();
    await optimizer.discard();
    await optimizer.finish();
    expect(optimizer.stats().keptInF32).toBe(0);
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  test('dispose() leaves a new variable alone that took the name of a freed one', async () => {
    const optimizer = adam();
    const w = tf.variable(tf.ones([3]), true, 'of-each-run');
    optimizer.minimize(() => halfSquare(w), false, [w]);
    const name = optimizer.state()[0]?.variable.name as string;
    tf.disposeVariables();
    const other = tf.variable(tf.ones([3]), true, name);
    optimizer.dispose();
    expect(tf.engine().registeredVariables[name]).toBe(other);
    expect(valuesOf(other)).toEqual([1, 1, 1]);
    other.dispose();
  });

  test('an optimizer of TensorFlow.js with state says what has happened', async () => {
    const optimizer = lookahead(tf.train.adam(0.1), options);
    await run(optimizer);
    const gone = { code: 'UNSUPPORTED_INNER', message: expect.stringMatching(/disposeVariables/) };
    await expect(optimizer.getWeights()).rejects.toMatchObject(gone);
    await optimizer.discard();
    const w = tf.variable(tf.ones([3]), true, 'of-each-run');
    await expect(optimizer.step(() => halfSquare(w), false, [w])).rejects.toMatchObject(gone);
    expect(valuesOf(w)).toEqual([1, 1, 1]);
    w.dispose();
  });
});
