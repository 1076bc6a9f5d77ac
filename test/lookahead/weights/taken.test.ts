// Weights that a synchronous step sees for the first time, on backends that can be read at once.

import * as tf from '@tensorflow/tfjs-core';
import { lookahead, type LookaheadOptions, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import { SLOW_FORMATS } from '#src/slow/slow-format.js';

import { halfSquare, noise, onEveryEngine, slowOf, valuesOf } from '../../engines.js';

onEveryEngine(() => {
  const make = () =>
    tf.tidy(() => {
      const values = [noise([64, 65], 1), noise([7], 2), tf.mul(noise([64, 64], 3), 1e5)];
      return values.map((value) => tf.variable(value));
    });

  test('a bare minimize keeps no second copy: the same bytes before and after it', () => {
    const weights = make();
    const optimizer = lookahead(sgd({ learningRate: 0.5 }));
    const { numBytes, numTensors } = tf.memory();
    optimizer.minimize(() => tf.addN(weights.map(halfSquare)) as tf.Scalar, false, weights);
    expect(tf.memory()).toMatchObject({ numBytes, numTensors });
    optimizer.dispose();
    tf.dispose(weights);
  });

  test.each(SLOW_FORMATS)(
    '%s: minimize(f), which cannot wait, begins with the bits of step(f, false, weights), which can',
    async (slow) => {
      const train = async (how: 'step' | 'minimize') => {
        const weights = make();
        const options: LookaheadOptions = { slow, syncPeriod: 2, chunkBytes: 4096, workers: 0 };
        const optimizer = lookahead(sgd({ learningRate: 0.1 }), options);
        const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
        for (let i = 0; i < 3; i++) {
          if (how === 'step') await optimizer.step(loss, false, weights);
          else optimizer.minimize(loss);
          await optimizer.sync();
        }
        const found = { fast: weights.map(valuesOf), slow: await slowOf(optimizer) };
        optimizer.dispose();
        tf.dispose(weights);
        return found;
      };
      expect(await train('minimize')).toEqual(await train('step'));
    },
  );

  test('weights that were loaded after attach() are taken anew: 100 → 50 → ½ (100 + 50)', async () => {
    const weight = tf.tidy(() => tf.variable(tf.scalar(0)));
    const optimizer = lookahead(sgd({ learningRate: 0.5 }), { syncPeriod: 1 });
    await optimizer.attach([weight]);
    tf.tidy(() => weight.assign(tf.scalar(100)));
    const { numTensors } = tf.memory();
    optimizer.minimize(() => halfSquare(weight));
    expect(tf.memory().numTensors).toBe(numTensors);
    await optimizer.sync();
    expect(valuesOf(weight)).toEqual([75]);
    optimizer.dispose();
    weight.dispose();
  });
});
