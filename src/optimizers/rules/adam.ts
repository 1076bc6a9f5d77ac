/**
 * Adam: momentum over the root of the second moment, both corrected for starting at 0.
 *
 *   m ← β₁ m + (1 − β₁) g
 *   v ← β₂ v + (1 − β₂) g²
 *   w ← w − γ (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)        t counts this weight's steps from 1
 *
 * Source: Kingma & Ba, "Adam: A Method for Stochastic Optimization", arXiv 1412.6980. Equal to
 * `tf.train.adam`: ε is outside of the root. γ / (1 − β₁ᵗ) is one number of the step.
 */
import type { Algebra } from '../../formula/algebra.js';
import type { Assignment, Operands, UpdateRule } from '../../formula/update-rule.js';
import type { StepOptions } from '../step-options.js';
import { ruleClass } from './rule-class.js';
import type { WeightwiseOptimizer } from '../weightwise.js';

/** Options of `adam()`. */
export interface AdamOptions extends StepOptions {
  /** β₁ in [0, 1): how much of the first moment each step keeps. Default 0.9. */
  readonly beta1?: number;
  /** β₂ in [0, 1): how much of the second moment each step keeps. Default 0.999. */
  readonly beta2?: number;
  /** ε > 0, without a unit: keeps the divisor above 0. Default 1e-7. */
  readonly epsilon?: number;
}

export type AdamConstants = Required<Omit<AdamOptions, keyof StepOptions>>;
export type AdamState = 'm' | 'v';
export type AdamScalar =
  | 'beta1'
  | 'oneMinusBeta1'
  | 'beta2'
  | 'oneMinusBeta2'
  | 'stepSize'
  | 'correction2'
  | 'epsilon';

export const adamRule: UpdateRule<AdamConstants, AdamState, AdamScalar> = {
  name: 'adam',
  learningRate: 0.001,
  constants: {
    beta1: { default: 0.9, min: 0, below: 1 },
    beta2: { default: 0.999, min: 0, below: 1 },
    epsilon: { default: 1e-7, above: 0 },
  },
  secondMoment: 'v',
  secondMomentScale: ({ beta2 }, step) => 1 / (1 - beta2 ** step),
  state: () => [
    { name: 'm', initial: 0 },
    { name: 'v', initial: 0, neverNegative: true },
  ],
  scalars: adamScalars,
  formula: () => [...adamMoments, ADAM_WEIGHT],
};

const ADAM_WEIGHT: Assignment<AdamState, AdamScalar> = {
  target: 'weight',
  value: (x, o) => o.sub(x.weight, adamMove(x, o)),
};

export function adamScalars(
  { beta1, beta2, epsilon }: AdamConstants,
  learningRate: number,
  step: number,
): Record<AdamScalar, number> {
  return {
    beta1,
    oneMinusBeta1: 1 - beta1,
    beta2,
    oneMinusBeta2: 1 - beta2,
    stepSize: learningRate / (1 - beta1 ** step),
    correction2: 1 - beta2 ** step,
    epsilon,
  };
}

export const adamMoments: readonly Assignment<AdamState, AdamScalar>[] = [
  {
    target: 'm',
    value: (x, o) => o.add(o.mul(x.m, x.beta1), o.mul(x.gradient, x.oneMinusBeta1)),
  },
  {
    target: 'v',
    value: (x, o) => o.add(o.mul(x.v, x.beta2), o.mul(o.square(x.gradient), x.oneMinusBeta2)),
  },
];

/** γ (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε). */
export function adamMove<T>(x: Operands<AdamState | AdamScalar, T>, o: Algebra<T>): T {
  const root = o.add(o.sqrt(o.div(x.v, x.correction2)), x.epsilon);
  return o.mul(o.div(x.m, root), x.stepSize);
}

export const Adam = ruleClass(adamRule);

/**
 * Adam. Defaults: `learningRate` 0.001, `beta1` 0.9, `beta2` 0.999, `epsilon` 1e-7. Two state tensors per weight.
 *
 * @throws TypeError or RangeError on a wrong option: what was wrong, what was received, what is allowed.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { adam } from 'slowlane';
 *
 * const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3])));
 * adam({ learningRate: 0.01, gradients: 'release' }).minimize(() => tf.sum(tf.square(w)), false, [w]);
 * console.log(await w.data());
 * ```
 */
export function adam(options?: AdamOptions): WeightwiseOptimizer {
  return new Adam(options);
}
