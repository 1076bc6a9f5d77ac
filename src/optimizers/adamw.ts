/**
 * AdamW: Adam, and a decay λ of the weights that the moments do not see.
 *
 *   m, v as in Adam
 *   w ← (1 − γ λ) w − γ (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
 *
 * Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", arXiv 1711.05101; γ times λ as
 * in PyTorch and Keras.
 */
import * as tf from '@tensorflow/tfjs-core';
import { checkKeys, checkNumber } from '../checks/check.js';
import {
  type AdamConstants,
  type AdamOptions,
  type AdamScalar,
  type AdamState,
  adamConstants,
  adamMoments,
  adamMove,
  adamScalars,
} from './adam.js';
import type { Assignment, UpdateRule } from '../formula/update-rule.js';
import { STEP_OPTIONS } from './step-options.js';
import { WeightwiseOptimizer } from './weightwise.js';

/** Options of `adamw()`. */
export interface AdamwOptions extends AdamOptions {
  /** λ ≥ 0: each step multiplies the weight by the factor 1 − γλ. Default 0.01. */
  readonly weightDecay?: number;
}

type Constants = AdamConstants & { readonly weightDecay: number };

export const adamwRule: UpdateRule<Constants, AdamState, AdamScalar | 'keptShare'> = {
  name: 'adamw',
  secondMoment: 'v',
  secondMomentScale: ({ beta2 }, step) => 1 / (1 - beta2 ** step),
  state: () => [
    { name: 'm', initial: 0 },
    { name: 'v', initial: 0, neverNegative: true },
  ],
  scalars: (constants, learningRate, step) => ({
    ...adamScalars(constants, learningRate, step),
    keptShare: 1 - learningRate * constants.weightDecay,
  }),
  formula: () => [...adamMoments, WEIGHT],
};

const WEIGHT: Assignment<AdamState, AdamScalar | 'keptShare'> = {
  target: 'weight',
  value: (x, o) => o.sub(o.mul(x.weight, x.keptShare), adamMove(x, o)),
};

/**
 * The optimizer that `adamw()` makes.
 *
 * @hideconstructor
 */
export class Adamw extends WeightwiseOptimizer {
  /** The name under which TensorFlow.js saves and finds the class. */
  static readonly className = 'SlowlaneAdamw';

  constructor(options: AdamwOptions = {}) {
    const names = ['beta1', 'beta2', 'epsilon', 'weightDecay', ...STEP_OPTIONS];
    const given = checkKeys('adamw', options, names);
    const { weightDecay = 0.01 } = given;
    const constants: Constants = {
      ...adamConstants(given),
      weightDecay: checkNumber('weightDecay', weightDecay, { min: 0 }),
    };
    super(adamwRule, constants, given, 0.001);
  }
}

tf.serialization.registerClass(Adamw);

/**
 * Adam with decoupled weight decay. Defaults: those of `adam()`, and `weightDecay` 0.01. Two state tensors per weight.
 *
 * @throws TypeError or RangeError on a wrong option: what was wrong, what was received, what is allowed.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { adamw } from 'slowlane';
 *
 * const w = tf.variable(tf.tensor1d([1, 2, 3]));
 * adamw({ learningRate: 0.01, weightDecay: 0.1 }).minimize(() => tf.sum(tf.square(w)), false, [w]);
 * console.log(await w.data());
 * ```
 */
export function adamw(options?: AdamwOptions): Adamw {
  return new Adamw(options);
}
