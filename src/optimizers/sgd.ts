/**
 * Stochastic gradient descent.
 *
 *   w ← w − γ g
 *
 * Source: Robbins & Monro, "A Stochastic Approximation Method", 1951. Equal to `tf.train.sgd`.
 */
import * as tf from '@tensorflow/tfjs-core';
import { checkKeys } from '../checks/check.js';
import type { RuleConstants, UpdateRule } from '../formula/update-rule.js';
import { STEP_OPTIONS, type StepOptions } from './step-options.js';
import { WeightwiseOptimizer } from './weightwise.js';

export type SgdOptions = StepOptions;

export const sgdRule: UpdateRule<RuleConstants, never, 'learningRate'> = {
  name: 'sgd',
  state: () => [],
  scalars: (_, learningRate) => ({ learningRate }),
  formula: () => [
    { target: 'weight', value: (x, o) => o.sub(x.weight, o.mul(x.gradient, x.learningRate)) },
  ],
};

export class Sgd extends WeightwiseOptimizer {
  static readonly className = 'SlowlaneSgd';

  constructor(options: SgdOptions = {}) {
    super(sgdRule, {}, checkKeys('sgd', options, STEP_OPTIONS), 0.01);
  }
}

tf.serialization.registerClass(Sgd);

/** `learningRate` 0.01. No slots: the cheapest in memory. */
export function sgd(options?: SgdOptions): Sgd {
  return new Sgd(options);
}
