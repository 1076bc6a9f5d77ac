// Weight decay beside weights in float32. float32 numbers in [½, 1) are 2⁻²⁴ = 6e-8 apart: 1 − γλ is a multiple of that, so
// a γλ of 2e-8 would be nothing and one of 4e-8 would be 6e-8, in each step alike.
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { adamw, lion } from '#src/optimizers/index.js';
import { lionRule } from '#src/optimizers/rules/lion.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import { onEveryEngine, valuesOf } from '../engines.js';

type Make = (options: { learningRate: number; weightDecay: number }) => WeightwiseOptimizer;

const SIZE = 4096;
const STEPS = 256;

const uniform = (() => {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
})();
const GRADIENTS = Array.from({ length: 40 }, () => Float32Array.from({ length: SIZE }, uniform));

/** Each weight after `STEPS` steps from 1, on gradients that are the same for every optimizer. */
function trained(optimizer: WeightwiseOptimizer): number[] {
  const weight = tf.variable(tf.ones([SIZE]));
  for (let step = 0; step < STEPS; step++) {
    const gradient = tf.tensor1d(GRADIENTS[(step * 7) % GRADIENTS.length] as Float32Array);
    optimizer.applyGradients({ [weight.name]: gradient });
    gradient.dispose();
  }
  const values = valuesOf(weight);
  optimizer.dispose();
  weight.dispose();
  return values;
}

/** How far decay took the mean weight, as a part of how far it goes in real numbers: 1 − (1 − γλ)ⁿ. */
function decayFound(make: Make, learningRate: number, weightDecay: number): number {
  const without = trained(make({ learningRate, weightDecay: 0 }));
  const decayed = trained(make({ learningRate, weightDecay }));
  const mean = decayed.reduce((sum, value, i) => sum + (without[i] ?? NaN) - value, 0) / SIZE;
  return mean / (1 - (1 - learningRate * weightDecay) ** STEPS);
}

test('lion takes a small decay every n-th step, n times as large', () => {
  /** In units of 2⁻¹⁸, the least that is taken: the shares of steps 1 to 8. */
  const shares = (weightDecay: number) =>
    [1, 2, 3, 4, 5, 6, 7, 8].map(
      (step) =>
        lionRule.scalars({ beta1: 0.9, beta2: 0.99, weightDecay }, 1, step).decayShare * 2 ** 18,
    );
  expect(shares(3 * 2 ** -18)).toEqual([3, 3, 3, 3, 3, 3, 3, 3]);
  expect(shares(2 ** -18)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  expect(shares(2 ** -20)).toEqual([0, 0, 0, 1, 0, 0, 0, 1]);
  expect(shares(3 * 2 ** -20)).toEqual([0, 1.5, 0, 1.5, 0, 1.5, 0, 1.5]);
  expect(shares(0)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
});

onEveryEngine(() => {
  // At 1e-9 the decay of all steps is 5 units in the last place, each weight is uncertain by 7 and their mean by 0.1.
  test.each([
    [1e-6, 1e-3, 0.1],
    [1e-5, 1e-3, 0.02],
    [2e-6, 1e-2, 0.02],
    [1e-3, 1e-2, 0.02],
    [1e-2, 1, 0.02],
  ])('adamw with γ = %d and λ = %d decays by γλ a step', (learningRate, weightDecay, within) => {
    expect(Math.abs(decayFound(adamw, learningRate, weightDecay) - 1)).toBeLessThan(within);
  });

  // Every move of Lion is γ, so nothing decides up or down. So 2e-8 is taken once in 256 steps, 1e-7 four times.
  test.each([
    [2e-6, 1e-2, 0.02],
    [1e-5, 1e-2, 0.02],
    [1e-4, 1e-2, 0.02],
    [1e-3, 1e-2, 0.02],
    [1e-2, 1, 0.02],
  ])('lion with γ = %d and λ = %d decays by γλ a step', (learningRate, weightDecay, within) => {
    expect(Math.abs(decayFound(lion, learningRate, weightDecay) - 1)).toBeLessThan(within);
  });

  // With gradient 1 the step is γ(λw + 1).
  test.each([
    ['adamw', adamw, -9],
    ['lion', lion, -5],
  ] as [string, Make, number][])('%s rounds a weight once a step', (_, make, from) => {
    for (let exponent = from; exponent <= -1; exponent++) {
      const [learningRate, weightDecay] = [0.001, 10 ** exponent / 0.001];
      const starts = Float32Array.from({ length: 64 }, (_start, i) => 0.5 + i / 128);
      const weight = tf.variable(tf.tensor1d(starts));
      const optimizer = make({ learningRate, weightDecay });
      const gradient = tf.ones([64]);
      optimizer.applyGradients({ [weight.name]: gradient });
      valuesOf(weight).forEach((value, i) => {
        const start = starts[i] ?? NaN;
        const exact = start - learningRate * (weightDecay * start + 1);
        // Half of 2⁻²⁴, and 3 units in the last place of the step itself, which Adam's root and division cost.
        expect(Math.abs(value - exact)).toBeLessThan(2 ** -25 + 3 * 2 ** -24 * (start - exact));
      });
      optimizer.dispose();
      tf.dispose([weight, gradient]);
    }
  });
});
