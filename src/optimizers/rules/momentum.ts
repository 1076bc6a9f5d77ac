/**
 * Gradient descent with momentum μ.
 *
 *   m ← μ m + g
 *   w ← w − γ m              or, with Nesterov's look ahead, w ← w − γ (g + μ m)
 *
 * Source: Polyak 1964; Sutskever et al., "On the importance of initialization and momentum in deep
 * learning", 2013. Equal to `tf.train.momentum`: γ is outside of m, so a schedule acts at once.
 */
import type { Assignment, UpdateRule } from '../../formula/update-rule.js';
import type { StepOptions } from '../step-options.js';
import { ruleClass } from './rule-class.js';
import type { WeightwiseOptimizer } from '../weightwise.js';

/** Options of `momentum()`. */
export interface MomentumOptions extends StepOptions {
  /** μ in [0, 1): how much of `m` each step keeps. Default 0.9. */
  readonly momentum?: number;
  /** Nesterov's variant: the update looks one step ahead. Default false. */
  readonly nesterov?: boolean;
}

type Constants = Required<Omit<MomentumOptions, keyof StepOptions>>;
type Scalar = 'learningRate' | 'momentum';

export const momentumRule: UpdateRule<Constants, 'm', Scalar> = {
  name: 'momentum',
  learningRate: 0.01,
  constants: {
    momentum: { default: 0.9, min: 0, below: 1 },
    nesterov: { default: false },
  },
  state: () => [{ name: 'm', initial: 0 }],
  scalars: ({ momentum }, learningRate) => ({ learningRate, momentum }),
  formula: ({ nesterov }) => [
    { target: 'm', value: (x, o) => o.add(o.mul(x.m, x.momentum), x.gradient) },
    nesterov
      ? {
          target: 'weight',
          value: (x, o) =>
            o.sub(x.weight, o.mul(o.add(x.gradient, o.mul(x.m, x.momentum)), x.learningRate)),
        }
      : WEIGHT,
  ],
};

const WEIGHT: Assignment<'m', Scalar> = {
  target: 'weight',
  value: (x, o) => o.sub(x.weight, o.mul(x.m, x.learningRate)),
};

export const Momentum = ruleClass(momentumRule);

/**
 * Gradient descent with momentum. Defaults: `learningRate` 0.01, `momentum` 0.9, `nesterov` false. One state tensor per weight.
 *
 * @throws TypeError or RangeError on a wrong option: what was wrong, what was received, what is allowed.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { momentum } from 'slowlane';
 *
 * const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3])));
 * momentum({ learningRate: 0.1, nesterov: true }).minimize(() => tf.sum(tf.square(w)), false, [w]);
 * console.log(await w.data());
 * ```
 */
export function momentum(options?: MomentumOptions): WeightwiseOptimizer {
  return new Momentum(options);
}
