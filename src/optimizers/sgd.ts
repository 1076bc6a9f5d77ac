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

/** Options of `sgd()`. */
export type SgdOptions = StepOptions;

export const sgdRule: UpdateRule<RuleConstants, never, 'learningRate'> = {
  name: 'sgd',
  state: () => [],
  scalars: (_, learningRate) => ({ learningRate }),
  formula: () => [
    { target: 'weight', value: (x, o) => o.sub(x.weight, o.mul(x.gradient, x.learningRate)) },
  ],
};

/**
 * The optimizer that `sgd()` makes.
 *
 * @hideconstructor
 */
export class Sgd extends WeightwiseOptimizer {
  /** The name under which TensorFlow.js saves and finds the class. */
  static readonly className = 'SlowlaneSgd';

  constructor(options: SgdOptions = {}) {
    super(sgdRule, {}, checkKeys('sgd', options, STEP_OPTIONS), 0.01);
  }
}

tf.serialization.registerClass(Sgd);

/**
 * Stochastic gradient descent. `learningRate` 0.01 by default. It has no state, so it takes the least memory.
 *
 * @throws TypeError or RangeError on a wrong option: what was wrong, what was received, what is allowed.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { sgd } from 'slowlane';
 *
 * const w = tf.variable(tf.tensor1d([1, 2, 3]));
 * sgd({ learningRate: 0.1 }).minimize(() => tf.sum(tf.square(w)), false, [w]);
 * console.log(await w.data());
 * ```
 */
export function sgd(options?: SgdOptions): Sgd {
  return new Sgd(options);
}
