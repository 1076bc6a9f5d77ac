/**
 * RMSProp: the gradient over the root of its running mean square; ρ is `decay`, μ `momentum`.
 *
 *   r ← ρ r + (1 − ρ) g²
 *   h ← ρ h + (1 − ρ) g                      only if centered; else h = 0
 *   m ← μ m + γ g / √(r − h² + ε)            only with momentum; else μ = 0
 *   w ← w − m
 *
 * Source: Tieleman & Hinton, lecture 6.5, 2012; centered: Graves, arXiv 1308.0850, 2013. Equal to
 * `tf.train.rmsprop` except in one sign: tfjs takes √(r − (h² + ε)), which is NaN once gradients are
 * steady. Without momentum there is no state for it.
 */
import type { Algebra } from '../../formula/algebra.js';
import type { Assignment, Operands, UpdateRule } from '../../formula/update-rule.js';
import type { StepOptions } from '../step-options.js';
import { ruleClass } from './rule-class.js';
import type { WeightwiseOptimizer } from '../weightwise.js';

/** Options of `rmsprop()`. */
export interface RmspropOptions extends StepOptions {
  /** ρ in [0, 1): how much of the mean square each step keeps. Default 0.9. */
  readonly decay?: number;
  /** μ in [0, 1): how much of the previous update each step keeps. Default 0. */
  readonly momentum?: number;
  /** ε > 0, without a unit: keeps the divisor above 0. Default 1e-7. */
  readonly epsilon?: number;
  /** Divide by the standard deviation of the gradient instead of its root mean square. */
  readonly centered?: boolean;
}

type Constants = Required<Omit<RmspropOptions, keyof StepOptions>>;
type State = 'rms' | 'mg' | 'momentum';
type Scalar = 'learningRate' | 'decay' | 'oneMinusDecay' | 'mu' | 'epsilon';

export const rmspropRule: UpdateRule<Constants, State, Scalar> = {
  name: 'rmsprop',
  learningRate: 0.001,
  constants: {
    decay: { default: 0.9, min: 0, below: 1 },
    momentum: { default: 0, min: 0, below: 1 },
    epsilon: { default: 1e-7, above: 0 },
    centered: { default: false },
  },
  secondMoment: 'rms',
  secondMomentScale: ({ decay }, step) => 1 / (1 - decay ** step),
  state: ({ centered, momentum }) => [
    { name: 'rms', initial: 0, neverNegative: true },
    ...(centered ? [{ name: 'mg', initial: 0 } as const] : []),
    ...(momentum > 0 ? [{ name: 'momentum', initial: 0 } as const] : []),
  ],
  scalars: ({ decay, momentum, epsilon }, learningRate) => ({
    learningRate,
    decay,
    oneMinusDecay: 1 - decay,
    mu: momentum,
    epsilon,
  }),
  formula: ({ centered, momentum }) => [
    {
      target: 'rms',
      value: (x, o) => o.add(o.mul(x.rms, x.decay), o.mul(o.square(x.gradient), x.oneMinusDecay)),
    },
    ...(centered ? [MEAN] : []),
    ...(momentum > 0
      ? withMomentum(centered)
      : [
          {
            target: 'weight',
            value: (x, o) => o.sub(x.weight, move(x, o, centered)),
          } satisfies Assignment<State, Scalar>,
        ]),
  ],
};

const MEAN: Assignment<State, Scalar> = {
  target: 'mg',
  value: (x, o) => o.add(o.mul(x.mg, x.decay), o.mul(x.gradient, x.oneMinusDecay)),
};

function withMomentum(centered: boolean): Assignment<State, Scalar>[] {
  return [
    {
      target: 'momentum',
      value: (x, o) => o.add(o.mul(x.momentum, x.mu), move(x, o, centered)),
    },
    { target: 'weight', value: (x, o) => o.sub(x.weight, x.momentum) },
  ];
}

/** γ g / √(r − h² + ε). Rounding may take r − h² below 0, hence its absolute value. */
function move<T>(x: Operands<State | Scalar, T>, o: Algebra<T>, centered: boolean): T {
  const spread = centered ? o.abs(o.sub(x.rms, o.square(x.mg))) : x.rms;
  return o.mul(o.div(x.gradient, o.sqrt(o.add(spread, x.epsilon))), x.learningRate);
}

export const Rmsprop = ruleClass(rmspropRule);

/**
 * RMSProp. Defaults, those of TensorFlow.js's `'rmsprop'`: `learningRate` 0.001, `decay` 0.9, `momentum` 0, `epsilon` 1e-7,
 * `centered` false. One state tensor per weight, one more with `momentum`, one more with `centered`.
 *
 * @throws TypeError or RangeError on a wrong option: what was wrong, what was received, what is allowed.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { rmsprop } from 'slowlane';
 *
 * const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3])));
 * rmsprop({ learningRate: 0.01, momentum: 0.9 }).minimize(() => tf.sum(tf.square(w)), false, [w]);
 * console.log(await w.data());
 * ```
 */
export function rmsprop(options?: RmspropOptions): WeightwiseOptimizer {
  return new Rmsprop(options);
}
