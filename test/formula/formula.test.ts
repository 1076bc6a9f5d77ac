import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { adagrad, adagradRule } from '#src/optimizers/rules/adagrad.js';
import { adam, adamRule } from '#src/optimizers/rules/adam.js';
import { adamw, adamwRule } from '#src/optimizers/rules/adamw.js';
import type { Algebra } from '#src/formula/algebra.js';
import { lion, lionRule } from '#src/optimizers/rules/lion.js';
import { momentum, momentumRule } from '#src/optimizers/rules/momentum.js';
import { rmsprop, rmspropRule } from '#src/optimizers/rules/rmsprop.js';
import { sgd, sgdRule } from '#src/optimizers/rules/sgd.js';
import type { RuleConstants, UpdateRule } from '#src/formula/update-rule.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import { onEveryEngine, valuesOf } from '../engines.js';

const numbers: Algebra<number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  square: (a) => a * a,
  sqrt: Math.sqrt,
  abs: Math.abs,
  sign: Math.sign,
};

/** One weight of one element under the rule, in double precision. */
function inNumbers(
  rule: UpdateRule,
  constants: RuleConstants,
  learningRate: number,
  start: number,
  gradients: readonly number[],
): number[] {
  const state: Record<string, number> = { weight: start, gradient: 0 };
  for (const { name, initial } of rule.state(constants)) state[name] = initial;
  return gradients.map((gradient, i) => {
    const scalars = rule.scalars(constants, learningRate, i + 1);
    state['gradient'] = gradient;
    for (const assignment of rule.formula(constants)) {
      state[assignment.target] = assignment.value({ ...state, ...scalars }, numbers);
    }
    return state['weight'] ?? NaN;
  });
}

const betas = { beta1: 0.9, beta2: 0.999 };
const RULES: [string, UpdateRule, RuleConstants, (options: object) => WeightwiseOptimizer][] = [
  ['sgd', sgdRule, {}, sgd],
  ['momentum', momentumRule, { momentum: 0.9, nesterov: false }, momentum],
  ['nesterov', momentumRule, { momentum: 0.9, nesterov: true }, momentum],
  ['adagrad', adagradRule, { initialAccumulatorValue: 0.1, epsilon: 1e-7 }, adagrad],
  ['rmsprop', rmspropRule, { decay: 0.9, momentum: 0, epsilon: 0.01, centered: false }, rmsprop],
  [
    'rmsprop, all',
    rmspropRule,
    { decay: 0.9, momentum: 0.5, epsilon: 0.01, centered: true },
    rmsprop,
  ],
  ['adam', adamRule, { ...betas, epsilon: 1e-7 }, adam],
  ['adamw', adamwRule, { ...betas, epsilon: 1e-7, weightDecay: 0.5 }, adamw],
  ['lion', lionRule, { beta1: 0.9, beta2: 0.99, weightDecay: 0.5 }, lion],
];

const GRADIENTS = [1, -2, 0.5, 0.25, -0.125, 3, -0.75];

onEveryEngine(() => {
  test.each(RULES)('%s: tensors do what plain numbers do', (_, rule, constants, make) => {
    const x = tf.variable(tf.tensor1d([2, -1]));
    const optimizer = make({ ...constants, learningRate: 0.1 });
    const expected = [2, -1].map((start) => inNumbers(rule, constants, 0.1, start, GRADIENTS));
    GRADIENTS.forEach((gradient, step) => {
      const tensor = tf.tensor1d([gradient, gradient]);
      optimizer.applyGradients({ [x.name]: tensor });
      tensor.dispose();
      valuesOf(x).forEach((value, i) => expect(value).toBeCloseTo(expected[i]?.[step] ?? NaN, 5));
    });
    optimizer.dispose();
    x.dispose();
  });
});

// By hand, from the papers.
test('adamw: the first step of Adam is γ·sign(g), and the decay takes γλ of the weight', () => {
  // 2·(1 − 0.1·0.5) − 0.1 = 1.8
  const [first] = inNumbers(adamwRule, { ...betas, epsilon: 0, weightDecay: 0.5 }, 0.1, 2, [7]);
  expect(first).toBeCloseTo(1.8, 12);
});

test('lion: the weight moves by the old momentum, m changes afterwards', () => {
  // m: 0 → .1·1 = .1 (β₂ = .9). Step 2, g = −.5: β₁ = .8: .8·.1 − .2·.5 = −.02 → moves up again.
  // With the new m (.9·.1 − .1·.5 = .04): .032 − .1 = −.068, up too; g = −.3: .08 − .06 = +.02, down.
  const constants = { beta1: 0.8, beta2: 0.9, weightDecay: 0 };
  const run = (g: number) => inNumbers(lionRule, constants, 0.1, 2, [1, g]);
  expect(run(-0.5)).toEqual([1.9, 2]);
  expect(run(-0.3)).toEqual([1.9, expect.closeTo(1.8, 12)]); // new m would give −.012: up to 2
});

test('nesterov looks ahead: w − γ(g + μm)', () => {
  // m = 1: 2 − .1·(1 + .9·1) = 1.81
  const constants = { momentum: 0.9, nesterov: true };
  expect(inNumbers(momentumRule, constants, 0.1, 2, [1])[0]).toBeCloseTo(1.81, 12);
});
