/**
 * Lion: the sign of an interpolated momentum, and a decay λ of the weights.
 *
 *   w ← w − (γλ w + γ sign(β₁ m + (1 − β₁) g))                 reads the old m
 *   m ← β₂ m + (1 − β₂) g
 *
 * Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", arXiv 2302.06675. Every element
 * moves by γ, so rates are 3 to 10 times smaller than Adam's.
 */
import type { UpdateRule } from '../../formula/update-rule.js';
import type { StepOptions } from '../step-options.js';
import { ruleClass } from './rule-class.js';
import type { WeightwiseOptimizer } from '../weightwise.js';

/** Options of `lion()`. */
export interface LionOptions extends StepOptions {
  /** β₁ in [0, 1): how much of `m` goes into the update. Default 0.9. */
  readonly beta1?: number;
  /** β₂ in [0, 1): how much of `m` each step keeps. Default 0.99. */
  readonly beta2?: number;
  /**
   * λ ≥ 0: each step takes γλ of the weight away. Default 0. A γλ below 4e-6 is taken every n-th step, n times as large,
   * because it would get lost in the rounding of each single step.
   */
  readonly weightDecay?: number;
}

type Constants = Required<Omit<LionOptions, keyof StepOptions>>;
type Scalar = 'learningRate' | 'decayShare' | 'beta1' | 'oneMinusBeta1' | 'beta2' | 'oneMinusBeta2';

export const lionRule: UpdateRule<Constants, 'm', Scalar> = {
  name: 'lion',
  learningRate: 0.0001,
  constants: {
    beta1: { default: 0.9, min: 0, below: 1 },
    beta2: { default: 0.99, min: 0, below: 1 },
    weightDecay: { default: 0, min: 0 },
  },
  state: () => [{ name: 'm', initial: 0 }],
  scalars: ({ beta1, beta2, weightDecay }, learningRate, step) => ({
    learningRate,
    decayShare: decayAt(step, learningRate * weightDecay),
    beta1,
    oneMinusBeta1: 1 - beta1,
    beta2,
    oneMinusBeta2: 1 - beta2,
  }),
  formula: () => [
    {
      target: 'weight',
      value: (x, o) => {
        const direction = o.add(o.mul(x.m, x.beta1), o.mul(x.gradient, x.oneMinusBeta1));
        const move = o.mul(o.sign(direction), x.learningRate);
        return o.sub(x.weight, o.add(o.mul(x.weight, x.decayShare), move));
      },
    },
    {
      target: 'm',
      value: (x, o) => o.add(o.mul(x.m, x.beta2), o.mul(x.gradient, x.oneMinusBeta2)),
    },
  ],
};

/** 64 units in the last place of a float32 weight near 1. */
const LEAST_DECAY = 2 ** -18;

/**
 * The share of the weight that `step` takes away, `share` a step on average. A small one is taken every n-th step, n times as
 * large, n a power of two: every move of Lion is γ, so a decay of one unit or two would be rounded alike in each step.
 */
function decayAt(step: number, share: number): number {
  const every = 2 ** Math.max(0, Math.ceil(Math.log2(LEAST_DECAY / share)));
  return step % every === 0 ? every * share : 0; // of no share: every Infinity steps
}

export const Lion = ruleClass(lionRule);

/**
 * Lion. Defaults: `learningRate` 0.0001, `beta1` 0.9, `beta2` 0.99, `weightDecay` 0. One state tensor per weight.
 *
 * @throws TypeError or RangeError on a wrong option: what was wrong, what was received, what is allowed.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { lion } from 'slowlane';
 *
 * const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3])));
 * lion({ learningRate: 0.001 }).minimize(() => tf.sum(tf.square(w)), false, [w]);
 * console.log(await w.data());
 * ```
 */
export function lion(options?: LionOptions): WeightwiseOptimizer {
  return new Lion(options);
}
