/** Options of every optimizer of slowlane. */
import { checkChoice } from '../checks/check.js';
import type { WeightMatcher } from '../checks/weight-matcher.js';
import type { Clipping } from '../formula/clipping.js';
import { SMALLEST_QUANTIZED } from '../formula/quantization.js';
import type { LearningRate } from './learning-rate.js';

/** Options of every inner optimizer. */
export interface StepOptions {
  /** γ: a number ≥ 0, one of `schedules`, or a function of the iteration (which cannot be saved). */
  readonly learningRate?: LearningRate;
  /** Limits each element of each gradient to ±clipValue, as Keras's `clipvalue`. Not together with clipNorm. */
  readonly clipValue?: number;
  /**
   * Scales all gradients of a step by clipNorm / max(norm, clipNorm); the norm is that of all of them together, as in Keras's
   * `global_clipnorm` and PyTorch's `clip_grad_norm_`. (Keras's `clipnorm` is one norm for each weight, which we do not have.)
   */
  readonly clipNorm?: number;
  /**
   * `'keep'` (default): all gradients, then all updates. `'release'`: each weight is updated as soon as its
   * gradient is complete, and gradients and activations are freed at once: the same numbers in less memory. If
   * the backward pass fails, some weights have been updated. Not together with clipNorm.
   */
  readonly gradients?: GradientLifetime;
  /**
   * Where state tensors are kept between steps, and in which precision. `'device:f32'` (default): 4 bytes per
   * element. `'device:q8'`: quantized to 1.02 bytes per element; close to the same training, not the same
   * numbers. `'host:f32'` and `'host:q8'`: the same numbers as on the device, but the state waits in host memory
   * and is on the device for one weight at a time. Await `flush()` after each step, or pass `callbacks()` to
   * `model.fit`.
   *
   * Weights of fewer than 4,096 elements always have `'device:f32'`. Lookahead's `innerState: 'interpolate'` and
   * `adaptive()` without a curvature need `'device:f32'` for all weights.
   */
  readonly moments?: MomentPolicy;
  /**
   * Another `moments` for some weights. The first entry that matches a weight counts. An entry that matches no
   * weight throws UNMATCHED_OVERRIDE in `model.fit` with `callbacks()`. In a training loop of your own, a warning
   * follows the first complete step, once: it compares with the weights that were trained until then.
   */
  readonly overrides?: readonly MomentOverride[];
  /**
   * Micro-batches per step; their gradients are averaged. Default 1. Each call of `minimize` is one micro-batch,
   * and every n-th changes the weights. adam, adamw and momentum without Nesterov take the gradients into their
   * state as they come (AdamA: close to one large batch, not the same numbers; momentum: the same), unless
   * gradients are clipped or the state is quantized. Else one mean per weight takes 4 bytes per element.
   */
  readonly accumulate?: number;
}

/** Where the state of some weights is kept. */
export interface MomentOverride {
  /** The weights it is for. */
  readonly weights: WeightMatcher;
  /** How their moments are kept. */
  readonly moments: MomentPolicy;
}

export const GRADIENT_LIFETIMES = ['keep', 'release'] as const;
/** When gradients are freed: `'keep'` after all updates, `'release'` each after the update of its weight. */
export type GradientLifetime = (typeof GRADIENT_LIFETIMES)[number];

export const MOMENT_POLICIES = ['device:f32', 'device:q8', 'host:f32', 'host:q8'] as const;
/** Where moments are kept between steps, and in which precision. */
export type MomentPolicy = (typeof MOMENT_POLICIES)[number];

/** How the state of one weight is kept. */
export interface StateStorage {
  readonly isQuantized: boolean;
  readonly isOnHost: boolean;
}

/** How a weight's state is kept under a policy. State of small weights stays float32 on the device. */
export function stateStorage(moments: MomentPolicy, elements: number): StateStorage {
  const isLarge = elements >= SMALLEST_QUANTIZED;
  return {
    isQuantized: isLarge && moments.endsWith(':q8'),
    isOnHost: isLarge && moments.startsWith('host:'),
  };
}

export const STEP_OPTIONS = [
  'learningRate',
  'clipValue',
  'clipNorm',
  'gradients',
  'moments',
  'overrides',
  'accumulate',
] as const;

export function checkLifetime(given: unknown, { by }: Clipping): GradientLifetime {
  const gradients = checkChoice('gradients', given, GRADIENT_LIFETIMES);
  if (gradients === 'keep' || by !== 'norm') return gradients;
  throw new TypeError(
    `clipNorm needs the gradients of all weights at once, which gradients: 'release' never has. ` +
      `Use clipValue, or gradients: 'keep'.`,
  );
}

export function checkMoments(name: string, given: unknown): MomentPolicy {
  return checkChoice(name, given, MOMENT_POLICIES);
}
