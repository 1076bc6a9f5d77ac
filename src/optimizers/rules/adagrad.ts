/**
 * Adagrad: a rate per element that shrinks with the squares of all its gradients.
 *
 *   a ← a + g²
 *   w ← w − γ g / √(a + ε)
 *
 * Source: Duchi, Hazan & Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
 * Optimization", 2011. Equal to `tf.train.adagrad`: ε is under the root.
 */
import type { UpdateRule } from '../../formula/update-rule.js';
import type { StepOptions } from '../step-options.js';
import { ruleClass } from './rule-class.js';
import type { WeightwiseOptimizer } from '../weightwise.js';

/** Options of `adagrad()`. */
export interface AdagradOptions extends StepOptions {
  /** The initial sum of squared gradients, ≥ 0, without a unit. Default 0.1. */
  readonly initialAccumulatorValue?: number;
  /** ε > 0, without a unit: keeps the divisor above 0. Default 1e-7. */
  readonly epsilon?: number;
}

type Constants = Required<Omit<AdagradOptions, keyof StepOptions>>;

export const adagradRule: UpdateRule<Constants, 'accumulator', 'learningRate' | 'epsilon'> = {
  name: 'adagrad',
  learningRate: 0.01,
  constants: {
    initialAccumulatorValue: { default: 0.1, min: 0 },
    epsilon: { default: 1e-7, above: 0 },
  },
  secondMoment: 'accumulator',
  secondMomentScale: (_, step) => 1 / step,
  state: ({ initialAccumulatorValue }) => [
    { name: 'accumulator', initial: initialAccumulatorValue, neverNegative: true },
  ],
  scalars: ({ epsilon }, learningRate) => ({ learningRate, epsilon }),
  formula: () => [
    { target: 'accumulator', value: (x, o) => o.add(x.accumulator, o.square(x.gradient)) },
    {
      target: 'weight',
      value: (x, o) =>
        o.sub(
          x.weight,
          o.mul(o.div(x.gradient, o.sqrt(o.add(x.accumulator, x.epsilon))), x.learningRate),
        ),
    },
  ],
};

export const Adagrad = ruleClass(adagradRule);

/**
 * Adagrad. Defaults: `learningRate` 0.01, `initialAccumulatorValue` 0.1, `epsilon` 1e-7. One state tensor per weight.
 *
 * @throws TypeError or RangeError on a wrong option: what was wrong, what was received, what is allowed.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { adagrad } from 'slowlane';
 *
 * const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3])));
 * adagrad({ learningRate: 0.1 }).minimize(() => tf.sum(tf.square(w)), false, [w]);
 * console.log(await w.data());
 * ```
 */
export function adagrad(options?: AdagradOptions): WeightwiseOptimizer {
  return new Adagrad(options);
}
