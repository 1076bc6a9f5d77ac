/** Options of every optimizer here. */
import { checkChoice } from '../checks/check.js';
import type { Clipping } from '../formula/clipping.js';
import { SMALLEST_QUANTIZED } from '../formula/quantization.js';
import type { LearningRate } from './learning-rate.js';

export interface StepOptions {
  /** γ. A number ≥ 0, one of `schedules`, or a function of the iteration (which cannot be saved). */
  readonly learningRate?: LearningRate;
  /** Each element of each gradient is limited to ±clipValue. Not together with clipNorm. */
  readonly clipValue?: number;
  /** All gradients of a step are scaled by clipNorm / max(norm, clipNorm), norm over all of them. */
  readonly clipNorm?: number;
  /**
   * 'keep' (default): all gradients, then all updates. 'release': each weight is updated as soon as its
   * gradient is complete, which is freed at once, as are activations: the same numbers in less memory. If
   * the backward pass fails, some weights have been updated. Not together with clipNorm.
   */
  readonly gradients?: GradientLifetime;
  /**
   * 'device:f32' (default): each slot takes 4 bytes an element. 'device:q8': 1.02 bytes, for weights of 4,096
   * elements or more; close to the same training, not the same numbers. 'host:f32' and 'host:q8': the same
   * numbers as these, but slots of such weights wait in host memory between steps, and are on the device one
   * weight at a time; await `flush()` after each step, or pass `callbacks()` to `model.fit`. Other than the
   * default not together with Lookahead's `innerState: 'interpolate'` and `adaptive()` without a curvature.
   * Without a slot (sgd) all are the same.
   */
  readonly moments?: MomentPolicy;
  /**
   * Micro-batches to a step, default 1: each call of `minimize` is one, and every n-th changes the weights, by
   * the mean of the n gradients. adam, adamw and momentum without Nesterov take gradients into their first
   * moment as they come (AdamA: close to one large batch, not the same numbers; momentum: the same), unless
   * they are clipped or the moments are 8-bit; else one sum a weight takes 4 bytes an element.
   */
  readonly accumulate?: number;
}

export const GRADIENT_LIFETIMES = ['keep', 'release'] as const;
export type GradientLifetime = (typeof GRADIENT_LIFETIMES)[number];

export const MOMENT_POLICIES = ['device:f32', 'device:q8', 'host:f32', 'host:q8'] as const;
export type MomentPolicy = (typeof MOMENT_POLICIES)[number];

export function waitsOnHost(moments: MomentPolicy): boolean {
  return moments === 'host:f32' || moments === 'host:q8';
}

/** How the slots of a weight are kept. Slots of small weights stay float32 on the device. */
export function slotStorage(
  moments: MomentPolicy,
  elements: number,
): { readonly isQuantized: boolean; readonly isOnHost: boolean } {
  const isLarge = elements >= SMALLEST_QUANTIZED;
  return {
    isQuantized: isLarge && moments.endsWith(':q8'),
    isOnHost: isLarge && waitsOnHost(moments),
  };
}

export const STEP_OPTIONS = [
  'learningRate',
  'clipValue',
  'clipNorm',
  'gradients',
  'moments',
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

export function checkMoments(given: unknown): MomentPolicy {
  return checkChoice('moments', given, MOMENT_POLICIES);
}
