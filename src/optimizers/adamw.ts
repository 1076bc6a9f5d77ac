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
  adamShare,
} from './adam.js';
import type { Assignment, UpdateRule } from '../formula/update-rule.js';
import { STEP_OPTIONS } from './step-options.js';
import { WeightwiseOptimizer } from './weightwise.js';

export interface AdamwOptions extends AdamOptions {
  /** λ, ≥ 0. */
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
  accumulation: () => ({ formula: [...adamMoments, WEIGHT], scalars: adamShare }),
};

const WEIGHT: Assignment<AdamState, AdamScalar | 'keptShare'> = {
  target: 'weight',
  value: (x, o) => o.sub(o.mul(x.weight, x.keptShare), adamMove(x, o)),
};

export class Adamw extends WeightwiseOptimizer {
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

/** As `adam`, and `weightDecay` 0.01. Two slots a weight. */
export function adamw(options?: AdamwOptions): Adamw {
  return new Adamw(options);
}
