/**
 * AdamW: Adam, and a decay λ of the weights that the moments do not see.
 *
 *   m, v as in Adam
 *   w ← w − (γλ w + γ (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε))
 *
 * Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", arXiv 1711.05101; γ times λ as
 * in PyTorch and Keras.
 */
import {
  type AdamConstants,
  type AdamOptions,
  type AdamScalar,
  type AdamState,
  adamMoments,
  adamMove,
  adamRule,
  adamScalars,
} from './adam.js';
import type { Assignment, UpdateRule } from '../../formula/update-rule.js';
import { ruleClass } from './rule-class.js';
import type { WeightwiseOptimizer } from '../weightwise.js';

/** Options of `adamw()`. */
export interface AdamwOptions extends AdamOptions {
  /** λ ≥ 0: each step takes γλ of the weight away. Default 0.01. */
  readonly weightDecay?: number;
}

type Constants = AdamConstants & { readonly weightDecay: number };

export const adamwRule: UpdateRule<Constants, AdamState, AdamScalar | 'decayShare'> = {
  ...adamRule,
  name: 'adamw',
  constants: { ...adamRule.constants, weightDecay: { default: 0.01, min: 0 } },
  scalars: (constants, learningRate, step) => ({
    ...adamScalars(constants, learningRate, step),
    decayShare: learningRate * constants.weightDecay,
  }),
  formula: () => [...adamMoments, WEIGHT],
};

const WEIGHT: Assignment<AdamState, AdamScalar | 'decayShare'> = {
  target: 'weight',
  value: (x, o) => o.sub(x.weight, o.add(o.mul(x.weight, x.decayShare), adamMove(x, o))),
};

export const Adamw = ruleClass(adamwRule);

/**
 * Adam with decoupled weight decay. Defaults: those of `adam()`, and `weightDecay` 0.01. Two state tensors per weight.
 *
 * @throws TypeError or RangeError on a wrong option: what was wrong, what was received, what is allowed.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { adamw } from 'slowlane';
 *
 * const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3])));
 * adamw({ learningRate: 0.01, weightDecay: 0.1 }).minimize(() => tf.sum(tf.square(w)), false, [w]);
 * console.log(await w.data());
 * ```
 */
export function adamw(options?: AdamwOptions): WeightwiseOptimizer {
  return new Adamw(options);
}
