import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { adam, momentum, sgd } from '#src/optimizers/index.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import golden from '../golden.json' with { type: 'json' };
import { halfSquare, onEveryEngine, valuesOf } from '../engines.js';

const { quadratic } = golden;

// The first sync of the golden rows is at step 5: four steps are the inner optimizer alone. With
// α = ½ and φ₀ = 1 its fifth value f is blended to (1 + f) / 2.
const CASES: [string, () => WeightwiseOptimizer, number[]][] = [
  ['sgd', () => sgd({ learningRate: 0.1 }), quadratic.sgd],
  ['momentum', () => momentum({ learningRate: 0.1, momentum: 0.9 }), quadratic.momentum.maintain],
  ['adam', () => adam({ learningRate: 0.1 }), quadratic.adam.maintain],
];

onEveryEngine(() => {
  test.each(CASES)('%s on x²/2 takes the golden steps', (_, make, expected) => {
    const x = tf.variable(tf.scalar(1));
    const optimizer = make();
    const seen: number[] = [];
    for (let step = 1; step <= 5; step++) {
      optimizer.minimize(() => halfSquare(x), false, [x]);
      const value = valuesOf(x)[0] ?? NaN;
      seen.push(step < 5 ? value : (1 + value) / 2);
    }
    seen.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 5));
    optimizer.dispose();
    x.dispose();
  });

  test('a constant gradient of 1 takes sgd with rate 1 from 10 to 9 to 8', () => {
    const x = tf.variable(tf.scalar(10));
    const optimizer = sgd({ learningRate: 1 });
    const seen = [1, 2].map(() => {
      optimizer.minimize(() => tf.sum(x), false, [x]);
      return valuesOf(x)[0];
    });
    expect(seen).toEqual([9, 8]);
    optimizer.dispose();
    x.dispose();
  });
});
