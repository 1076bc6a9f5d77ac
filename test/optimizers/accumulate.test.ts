import * as tf from '@tensorflow/tfjs-core';
import { adagrad, adam, adamw, lion, lookahead, momentum, rmsprop, sgd } from 'slowlane';
import { describe, expect, test } from 'vitest';

import type { StepOptions } from '#src/optimizers/step-options.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';

import { noise, onEveryEngine, valuesOf } from '../engines.js';

type Make = (options: StepOptions) => WeightwiseOptimizer;

/** Those whose step is that of the mean gradient, up to rounding. */
const EXACT: [string, Make][] = [
  ['sgd', sgd],
  ['momentum', momentum],
  ['momentum, Nesterov', (options) => momentum({ nesterov: true, ...options })],
  ['adagrad', adagrad],
  ['rmsprop', (options) => rmsprop({ momentum: 0.5, centered: true, epsilon: 1e-3, ...options })],
  ['lion', lion],
  ['adam, clipped by value', (options) => adam({ clipValue: 0.5, ...options })],
  ['adamw, clipped by norm', (options) => adamw({ clipNorm: 2, ...options })],
  ['adam, 8 bits', (options) => adam({ moments: 'device:q8', ...options })],
];
const N = 4;
const SIZE = 4160;

/** Gradients that are the given vectors: the loss is their scalar product with the weight. */
const towards = (weight: tf.Variable, gradient: tf.Tensor) => () =>
  tf.sum<tf.Scalar>(tf.mul(weight, gradient));

const gradientOf = (i: number) => noise([SIZE], 100 + i);
const weightOf = () => tf.tidy(() => tf.variable(noise([SIZE], 3)));

function micro(optimizer: WeightwiseOptimizer, weight: tf.Variable, i: number): void {
  tf.tidy(() => void optimizer.minimize(towards(weight, gradientOf(i)), false, [weight]));
}

/** A step with the mean of gradients i, …, i + n − 1. */
function whole(optimizer: WeightwiseOptimizer, weight: tf.Variable, i: number, n = N, of = N) {
  tf.tidy(() => {
    const gradients = Array.from({ length: n }, (_, j) => gradientOf(i + j));
    const mean = tf.div(tf.addN(gradients), of);
    optimizer.minimize(towards(weight, mean), false, [weight]);
  });
}

function difference(a: tf.Tensor, b: tf.Tensor): number {
  return tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0] ?? NaN);
}

test('without micro-batches no step is ever open', () => {
  expect([sgd().completeStep(), sgd().isAccumulating]).toEqual([false, false]);
});

test('the option is checked', () => {
  expect(() => adam({ accumulate: 0 })).toThrow(/accumulate must be a whole number.*got 0/);
  expect(() => adam({ accumulate: 2.5 })).toThrow(RangeError);
  expect(() => adam({ accumulate: '4' as never })).toThrow(TypeError);
  expect(adam({ accumulate: 4 }).getConfig()).toMatchObject({ accumulate: 4 });
  expect(adam({ accumulate: 1 }).getConfig()).not.toHaveProperty('accumulate');
});

onEveryEngine(() => {
  describe.each(['keep', 'release'] as const)('gradients: %s', (gradients) => {
    // The norm needs all gradients at once.
    const rules = EXACT.filter(([name]) => gradients === 'keep' || !name.includes('norm'));

    test.each(rules)('%s: n micro-batches are one step of their mean', (_, make) => {
      const tensors = tf.memory().numTensors;
      const [a, b] = [weightOf(), weightOf()];
      const [parts, one] = [make({ accumulate: N, gradients }), make({})];
      for (let step = 0; step < 3; step++) {
        const before = valuesOf(a);
        for (let i = 0; i < N; i++) {
          expect(valuesOf(a)).toEqual(before); // until the last one
          micro(parts, a, N * step + i);
          expect(parts.isAccumulating).toBe(i < N - 1);
        }
        expect(parts.iterations).toBe(step + 1);
        whole(one, b, N * step);
      }
      expect(difference(a, b)).toBeLessThan(2e-6);
      parts.dispose();
      one.dispose();
      tf.dispose([a, b]);
      expect(tf.memory().numTensors).toBe(tensors);
    });

    test('adam: AdamA, without a tensor more', () => {
      const [weight, m, v] = [weightOf(), tf.zeros([SIZE]), tf.zeros([SIZE])];
      const reference = weight.clone();
      const optimizer = adam({ accumulate: N, gradients });
      optimizer.adopt([weight]);
      const tensors = tf.memory().numTensors;
      for (let i = 0; i < N; i++) {
        micro(optimizer, weight, i);
        expect(tf.memory().numTensors).toBe(tensors);
      }
      const expected = tf.tidy(() => {
        let [mean, square] = [m, v];
        for (let i = 0; i < N; i++) {
          const g = tf.div(gradientOf(i), N);
          mean = tf.add(mean, tf.mul(g, 0.1));
          square = tf.add(square, tf.mul(tf.square(g), 0.001));
        }
        const [m1, v1] = [tf.div(mean, 0.1), tf.div(square, 0.001)];
        const move = tf.mul(tf.div(m1, tf.add(tf.sqrt(v1), 1e-7)), 0.001);
        return tf.sub(reference, move);
      });
      expect(difference(weight, expected)).toBeLessThan(2e-6);
      optimizer.dispose();
      tf.dispose([weight, reference, m, v, expected]);
    });
  });

  test('weights that only some micro-batches reach move with the mean over all', () => {
    for (const make of [sgd, momentum] as Make[]) {
      const [a, b, c] = [weightOf(), weightOf(), weightOf()];
      const [parts, one] = [make({ accumulate: 2 }), make({})];
      tf.tidy(() => {
        parts.minimize(towards(a, gradientOf(0)), false, [a]);
        parts.minimize(towards(b, gradientOf(1)), false, [b]);
      });
      whole(one, c, 0, 1, 2); // half of the first gradient
      expect(difference(a, c)).toBeLessThan(1e-6);
      expect(difference(b, c)).toBeGreaterThan(1e-4);
      tf.dispose([a, b, c]);
      parts.dispose();
      one.dispose();
    }
  });

  test('a step is not saved halfway; completeStep() takes it, reset() gives it up', async () => {
    const [a, b] = [weightOf(), weightOf()];
    const [parts, one] = [sgd({ accumulate: N }), sgd()];
    expect(parts.completeStep()).toBe(false);
    micro(parts, a, 0);
    micro(parts, a, 1);
    await expect(parts.getWeights()).rejects.toMatchObject({
      code: 'STEP_OPEN',
      message: expect.stringMatching(/after 2 of 4 micro-batches.*completeStep\(\)/) as string,
    });
    expect(parts.completeStep()).toBe(true);
    whole(one, b, 0, 2);
    expect(difference(a, b)).toBeLessThan(1e-6);
    expect(parts.iterations).toBe(1);
    expect((await parts.getWeights()).length).toBe(1);
    const before = valuesOf(a);
    micro(parts, a, 0);
    parts.reset();
    expect(parts.isAccumulating).toBe(false);
    for (let i = 0; i < N - 1; i++) micro(parts, a, i);
    expect(valuesOf(a)).toEqual(before);
    parts.dispose();
    tf.dispose([a, b]);
  });

  test('lookahead counts steps, not micro-batches', async () => {
    const [a, b] = [weightOf(), weightOf()];
    const parts = lookahead(momentum({ accumulate: 2 }), { syncPeriod: 2 });
    const one = lookahead(momentum(), { syncPeriod: 2 });
    for (let step = 0; step < 3; step++) {
      for (let i = 0; i < 2; i++) {
        const gradient = gradientOf(2 * step + i);
        await parts.step(towards(a, gradient), false, [a]);
        gradient.dispose();
      }
      const mean = tf.tidy(() =>
        tf.mean(tf.stack([gradientOf(2 * step), gradientOf(2 * step + 1)]), 0),
      );
      await one.step(towards(b, mean), false, [b]);
      mean.dispose();
    }
    expect(parts.stats()).toMatchObject({ steps: 3, syncs: 1 });
    expect(difference(a, b)).toBeLessThan(1e-6);
    const gradient = gradientOf(7);
    await parts.step(towards(a, gradient), false, [a]);
    await expect(parts.getWeights()).rejects.toMatchObject({ code: 'STEP_OPEN' });
    expect(parts.completeStep()).toBe(true);
    expect(parts.due).toBe(true);
    await parts.sync();
    await parts.getWeights();
    for (const optimizer of [parts, one]) optimizer.dispose();
    tf.dispose([a, b, gradient]);
  });
});
