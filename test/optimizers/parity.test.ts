import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { adagrad, adam, lion, momentum, rmsprop, sgd } from '#src/optimizers/index.js';
import { noise, onEveryEngine, valuesOf } from '../engines.js';

const SHAPES = [[], [7], [5, 3], [2, 3, 4]];

const PAIRS: [string, () => tf.Optimizer, () => tf.Optimizer][] = [
  ['sgd', () => sgd({ learningRate: 0.1 }), () => tf.train.sgd(0.1)],
  [
    'momentum',
    () => momentum({ learningRate: 0.05, momentum: 0.8 }),
    () => tf.train.momentum(0.05, 0.8),
  ],
  [
    'nesterov',
    () => momentum({ learningRate: 0.05, momentum: 0.8, nesterov: true }),
    () => tf.train.momentum(0.05, 0.8, true),
  ],
  ['adagrad', () => adagrad({ learningRate: 0.1 }), () => tf.train.adagrad(0.1)],
  [
    'adagrad from 0.5',
    () => adagrad({ learningRate: 0.1, initialAccumulatorValue: 0.5 }),
    () => tf.train.adagrad(0.1, 0.5),
  ],
  ['rmsprop', () => rmsprop({ learningRate: 0.01 }), () => tf.train.rmsprop(0.01)],
  [
    'rmsprop with momentum',
    () => rmsprop({ learningRate: 0.01, decay: 0.8, momentum: 0.5, epsilon: 1e-3 }),
    () => tf.train.rmsprop(0.01, 0.8, 0.5, 1e-3),
  ],
  // Only with a negligible ε: tfjs subtracts it here.
  [
    'centered rmsprop',
    () => rmsprop({ learningRate: 0.01, epsilon: 1e-10, centered: true }),
    () => tf.train.rmsprop(0.01, 0.9, 0, 1e-10, true),
  ],
  [
    'centered rmsprop with momentum',
    () => rmsprop({ learningRate: 0.01, momentum: 0.5, epsilon: 1e-10, centered: true }),
    () => tf.train.rmsprop(0.01, 0.9, 0.5, 1e-10, true),
  ],
  // tfjs multiplies β₂ᵗ up in float32, which puts 3e-5 of error into its first steps; ours is exact.
  ['adam', () => adam({ learningRate: 0.001 }), () => tf.train.adam(0.001)],
  [
    'adam with a large epsilon',
    () => adam({ learningRate: 0.01, beta1: 0.7, beta2: 0.95, epsilon: 0.1 }),
    () => tf.train.adam(0.01, 0.7, 0.95, 0.1),
  ],
];

onEveryEngine(() => {
  test.each(PAIRS)('%s equals tf.train over 20 steps', (_, ours, theirs) => {
    const a = SHAPES.map((shape, i) => tf.variable(noise(shape, i + 1)));
    const b = a.map((weight) => tf.variable(tf.clone(weight)));
    const left = ours();
    const right = theirs();
    for (let step = 0; step < 20; step++) {
      const gradients = SHAPES.map((shape, i) => noise(shape, 100 * step + i + 10));
      const named = (weights: tf.Variable[]) =>
        weights.map(({ name }, i) => ({ name, tensor: gradients[i] as tf.Tensor }));
      left.applyGradients(named(a));
      right.applyGradients(named(b));
      tf.dispose(gradients);
    }
    a.forEach((weight, i) => {
      const expected = valuesOf(b[i] as tf.Tensor);
      valuesOf(weight).forEach((value, j) =>
        expect(Math.abs(value - (expected[j] ?? NaN))).toBeLessThanOrEqual(1e-6),
      );
    });
    tf.dispose([a, b]);
    left.dispose();
    right.dispose();
  });

  test('centered rmsprop stays finite on steady gradients, where tf.train gives NaN', () => {
    const a = tf.variable(tf.scalar(1));
    const b = tf.variable(tf.scalar(1));
    const left = rmsprop({ learningRate: 0.001, centered: true });
    const right = tf.train.rmsprop(0.001, 0.9, 0, 1e-7, true);
    const gradient = tf.scalar(0.003);
    for (let step = 0; step < 100; step++) {
      left.applyGradients({ [a.name]: gradient });
      right.applyGradients({ [b.name]: gradient });
    }
    expect(valuesOf(a)[0]).toBeLessThan(1);
    expect(valuesOf(b)[0]).toBeNaN();
    tf.dispose([a, b, gradient]);
    left.dispose();
    right.dispose();
  });
});

test('Lion goes by the sign of β₁ m + (1 − β₁) g, and m by β₂', async () => {
  await tf.setBackend('cpu');
  /** Where 0 is after steps of 1 with these gradients. */
  const after = (...gradients: number[]) => {
    const weight = tf.tidy(() => tf.variable(tf.scalar(0)));
    const optimizer = lion({ learningRate: 1, beta1: 0.5, beta2: 0.5 });
    for (const each of gradients) {
      const gradient = tf.scalar(each);
      optimizer.applyGradients({ [weight.name]: gradient });
      gradient.dispose();
    }
    optimizer.dispose();
    const [value] = weight.dataSync();
    weight.dispose();
    return value;
  };
  expect(after(1)).toBe(-1); // m = ½
  expect(after(1, -0.4)).toBe(-2); // ¼ − 0.2 > 0
  expect(after(1, -0.6)).toBe(0); // ¼ − 0.3 < 0
  expect(after(1, -0.4, -0.04)).toBe(-3); // m = 0.05
  expect(after(1, -0.4, -0.06)).toBe(-1);
});
