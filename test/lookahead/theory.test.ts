// What the paper proves, seen in runs: the noisy quadratic of section 3, and the identities.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import golden from '../golden.json' with { type: 'json' };
import { halfSquare, noise, onEveryEngine, valuesOf } from '../engines.js';

onEveryEngine(() => {
  // One variable of 20,000 independent coordinates is the whole Monte Carlo: standard error 1 %.
  test.each(golden.noisyQuadraticVarianceRatio)(
    'γa = $gammaA, k = $k, α = $alpha: the slow weights have $ratio of SGD’s variance',
    async ({ gammaA, k, alpha, ratio }) => {
      const r = 1 - gammaA;
      const x = tf.variable(tf.zeros([20_000]));
      const optimizer = lookahead(sgd({ learningRate: gammaA }), {
        syncPeriod: k,
        slowStepSize: alpha,
        workers: 0,
      });
      // Cycles until what is left of the start's variance, (1 − α + αrᵏ)²ⁿ, is under 0.1 %.
      const contraction = Math.abs(1 - alpha + alpha * r ** k);
      const cycles = Math.max(2, Math.ceil(Math.log(1e-3) / (2 * Math.log(contraction))));
      for (let step = 0; step < cycles * k; step++) {
        const c = noise([20_000], 1000 + step); // ½(x − c)², c ~ N(0, 1): gradient x − c
        await optimizer.step(
          () => tf.mul<tf.Scalar>(tf.sum(tf.squaredDifference(x, c)), 0.5),
          false,
          [x],
        );
        c.dispose();
      }
      const [variance = NaN] = valuesOf(tf.tidy(() => tf.mean(tf.square(x))));
      const ofSgd = gammaA ** 2 / (1 - r ** 2);
      expect(Math.abs(variance / ofSgd / ratio - 1)).toBeLessThan(0.05);
    },
  );

  const run = async (optimizer: tf.Optimizer & { sync?(): Promise<void> }, steps: number) => {
    const x = tf.variable(noise([300], 9));
    for (let i = 0; i < steps; i++) {
      optimizer.minimize(() => halfSquare(x), false, [x]);
      await optimizer.sync?.();
    }
    return valuesOf(x);
  };

  test.each([1, 2, 5])(
    'α = 1 with k = %i is the inner optimizer, to the bit',
    async (syncPeriod) => {
      const options = { syncPeriod, slowStepSize: 1, workers: 0 };
      const expected = await run(adam({ learningRate: 0.1 }), 11);
      expect(await run(lookahead(adam({ learningRate: 0.1 }), options), 11)).toEqual(expected);
    },
  );

  test('α = 0 returns to θ₀ every k steps, to the bit', async () => {
    const options = { syncPeriod: 3, slowStepSize: 0, workers: 0 };
    const start = await run(sgd({ learningRate: 0.1 }), 0);
    expect(await run(lookahead(sgd({ learningRate: 0.1 }), options), 6)).toEqual(start);
    expect(await run(lookahead(sgd({ learningRate: 0.1 }), options), 7)).not.toEqual(start);
  });

  test('a sync in mid-cycle, early, is a sync of a shorter cycle', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 4, workers: 0 });
    const step = () => optimizer.step(() => tf.sum(x), false, [x]);
    await step();
    await step();
    await optimizer.sync({ early: true }); // −2 → −1
    await optimizer.sync({ early: true }); // nothing has moved
    expect([valuesOf(x), optimizer.stats().syncs]).toEqual([[-1], 1]);
    for (let i = 0; i < 4; i++) await step(); // −5, half of the way back to −1
    expect(valuesOf(x)).toEqual([-3]);
  });
});
