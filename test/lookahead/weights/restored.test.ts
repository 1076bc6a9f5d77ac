// Restored state and its weights: whose is what, and what may be asked before they have met.

import * as tf from '@tensorflow/tfjs-core';
import { loadTraining, lookahead, saveTraining, sgd } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { halfSquare, noise, onEveryEngine, valuesOf } from '../../engines.js';

onEveryEngine(() => {
  const slope = (x: tf.Variable) => tf.sum(x) as tf.Scalar;
  const ten = { syncPeriod: 10, workers: 0 } as const;

  describe('after a load, before the first step', () => {
    test('the slow weights do not know whose they are: showing them is refused until attach()', async () => {
      const x = tf.variable(tf.tensor1d([0]), true, `w_${tf.getBackend()}`);
      const first = lookahead(sgd({ learningRate: 1 }), ten);
      await first.step(() => slope(x), false, [x]);
      const second = lookahead(sgd({ learningRate: 1 }), ten);
      await second.setWeights(await first.getWeights());
      await expect(second.withSlowWeights(() => {})).rejects.toThrow(/attach\(model\)/);
      await expect(second.finish()).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
      await expect(second.discard()).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
      await second.attach([x]);
      await second.withSlowWeights(() => expect(valuesOf(x)).toEqual([0]));
      expect(valuesOf(x)).toEqual([-1]);
      await second.finish();
      expect(valuesOf(x)).toEqual([-0.5]); // the step before the save counts
    });

    test('resync() makes the weights as they are the slow ones', async () => {
      const x = tf.variable(tf.tensor1d([0]));
      const first = lookahead(sgd({ learningRate: 1 }), ten);
      await first.step(() => slope(x), false, [x]);
      await first.setWeights(await first.getWeights());
      x.assign(tf.tensor1d([100]));
      await first.resync();
      await first.step(() => slope(x), false, [x]);
      await first.discard();
      expect(valuesOf(x)).toEqual([100]);
    });

    test('a state loaded into the same optimizer forgets what was put aside before', async () => {
      const x = tf.variable(tf.tensor1d([0]));
      const optimizer = lookahead(sgd({ learningRate: 1 }), ten);
      await optimizer.step(() => slope(x), false, [x]);
      await optimizer.withSlowWeights(() => {});
      await optimizer.step(() => slope(x), false, [x]);
      await optimizer.setWeights(await optimizer.getWeights());
      await optimizer.attach([x]);
      await optimizer.withSlowWeights(() => expect(valuesOf(x)).toEqual([0]));
      expect(valuesOf(x)).toEqual([-2]);
    });
  });

  describe('whose is what', () => {
    const named = (name: string, value: number) =>
      tf.variable(tf.tensor1d([value]), true, `${tf.getBackend()}/${name}`);

    test('names decide, also where layers were frozen in between; a new weight is captured', async () => {
      const [a, b] = [named('a', 1), named('b', 50)];
      const first = lookahead(sgd({ learningRate: 1 }), ten);
      await first.attach([a, b]);
      const saved = await first.getWeights();
      const d = named('d', 7);
      const second = lookahead(sgd({ learningRate: 1 }), ten);
      await second.setWeights(saved);
      await second.step(() => tf.add(slope(b), slope(d)), false, [b, d]);
      await second.discard();
      expect([b, d].flatMap(valuesOf)).toEqual([50, 7]);
      tf.dispose([a, b, d]);
    });

    test('a weight that is gone is not saved, nor kept: its namesake starts afresh', async () => {
      const optimizer = lookahead(sgd({ learningRate: 1 }), ten);
      for (let i = 0; i < 5; i++) {
        const model = tf.variable(tf.fill([1000], i), true, `${tf.getBackend()}/gone`);
        await optimizer.attach([model]);
        model.dispose();
      }
      const last = tf.variable(tf.fill([1000], 9), true, `${tf.getBackend()}/gone`);
      await optimizer.attach([last]);
      expect(optimizer.stats().host.slowBytes).toBe(4000);
      const slow = (await optimizer.getWeights()).filter(({ name }) => name.startsWith('slow'));
      expect(slow.map(({ tensor }) => valuesOf(tensor)[0])).toEqual([9]);
      last.dispose();
    });

    test('numbers for names say nothing: a part of such weights is refused', async () => {
      const [a, b] = [tf.variable(tf.tensor1d([1])), tf.variable(tf.tensor1d([2]))];
      const first = lookahead(sgd({ learningRate: 1 }), ten);
      await first.attach([a, b]);
      const second = lookahead(sgd({ learningRate: 1 }), ten);
      await second.setWeights(await first.getWeights());
      const c = tf.variable(tf.tensor1d([3]));
      await expect(second.attach([c])).rejects.toThrow(/neither|names/);
    });
  });

  test.each(['sgd', 'momentum', 'adam'] as const)(
    'tf.train.%s inside: saved and restored, bit for bit',
    async (name) => {
      const make = () =>
        lookahead(
          name === 'sgd'
            ? tf.train.sgd(0.1)
            : name === 'momentum'
              ? tf.train.momentum(0.1, 0.9)
              : tf.train.adam(0.1),
          {
            syncPeriod: 3,
            workers: 0,
          },
        );
      for (const offset of [2, 5, 8]) {
        const x = tf.variable(noise([5], 1));
        const first = make();
        for (let i = 0; i < offset; i++) await first.step(() => halfSquare(x), false, [x]);
        const y = tf.variable(x.clone());
        const second = make();
        await second.setWeights(await first.getWeights());
        for (let i = 0; i < 7; i++) {
          await first.step(() => halfSquare(x), false, [x]);
          await second.step(() => halfSquare(y), false, [y]);
        }
        expect(valuesOf(y)).toEqual(valuesOf(x));
      }
    },
  );

  test('forget() after a load: what waits for a frozen weight stays, for the next save too', async () => {
    const all = ['a', 'b', 'c'].map((name) =>
      tf.tidy(() => tf.variable(tf.tensor1d([0]), true, `${tf.getBackend()}/frozen/${name}`)),
    ) as [tf.Variable, tf.Variable, tf.Variable];
    const [a, b, c] = all;
    const first = lookahead(sgd({ learningRate: 1 }), ten);
    await first.step(() => tf.addN(all.map(slope)), false, all);
    b.trainable = false;
    const second = lookahead(sgd({ learningRate: 1 }), ten);
    await loadTraining(await saveTraining(first, all), second, all);
    await second.forget([c]);
    const third = lookahead(sgd({ learningRate: 1 }), ten);
    await loadTraining(await saveTraining(second, all), third, all);
    b.trainable = true;
    await third.attach(all);
    await third.discard();
    // a and b go back to their slow values; c begins anew as it is.
    expect(all.flatMap(valuesOf)).toEqual([0, 0, -1]);
    tf.dispose([a, b, c]);
  });

  test('forget() after setWeights() says that attach() comes first', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const first = lookahead(sgd({ learningRate: 1 }), ten);
    await first.step(() => slope(x), false, [x]);
    const second = lookahead(sgd({ learningRate: 1 }), ten);
    await second.setWeights(await first.getWeights());
    await expect(second.forget([x])).rejects.toThrow(/attach\(model\)/);
    await second.attach([x]);
    await second.forget([x]);
    await second.discard();
    expect(valuesOf(x)).toEqual([-1]);
  });

  test('counters that cannot be are refused', async () => {
    const optimizer = lookahead(sgd({ learningRate: 1 }), ten);
    for (const counters of [
      [1],
      [1, 5, 3],
      [1, 2, 5, 3, 0],
      [1, 8, 5, 3, 0],
      [1, 2, 0, 0, 0],
      [1, -1],
      [2, 0],
    ]) {
      const tensor = tf.tensor1d(counters, 'int32');
      const rounding = tf.zeros([0, 2], 'int32');
      const load = optimizer.setWeights([
        { name: 'lookahead/counters', tensor },
        { name: 'lookahead/rounding', tensor: rounding },
      ]);
      await expect(load).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
    }
  });
});
