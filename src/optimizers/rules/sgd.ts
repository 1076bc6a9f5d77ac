/**
 * Stochastic gradient descent.
 *
 *   w ← w − γ g
 *
 * Source: Robbins & Monro, "A Stochastic Approximation Method", 1951. Equal to `tf.train.sgd`.
 */
import type { RuleConstants, UpdateRule } from '../../formula/update-rule.js';
import type { StepOptions } from '../step-options.js';
import { ruleClass } from './rule-class.js';
import type { WeightwiseOptimizer } from '../weightwise.js';

/** Options of `sgd()`. */
export type SgdOptions = StepOptions;

export const sgdRule: UpdateRule<RuleConstants, never, 'learningRate'> = {
  name: 'sgd',
  learningRate: 0.01,
  constants: {},
  state: () => [],
  scalars: (_, learningRate) => ({ learningRate }),
  formula: () => [
    { target: 'weight', value: (x, o) => o.sub(x.weight, o.mul(x.gradient, x.learningRate)) },
  ],
};

export const Sgd = ruleClass(sgdRule);

/**
 * Stochastic gradient descent. `learningRate` 0.01 by default. It has no state, so it takes the least memory.
 *
 * @throws TypeError or RangeError on a wrong option: what was wrong, what was received, what is allowed.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { sgd } from 'slowlane';
 *
 * const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3])));
 * sgd({ learningRate: 0.1 }).minimize(() => tf.sum(tf.square(w)), false, [w]);
 * console.log(await w.data());
 * ```
 */
export function sgd(options?: SgdOptions): WeightwiseOptimizer {
  return new Sgd(options);
}
