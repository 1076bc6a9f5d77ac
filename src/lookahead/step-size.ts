// The slow step size α: how far the slow weights go towards the fast ones at a sync.
//
// A number in [0, 1], a schedule of the sync index, or adaptive: for a quadratic with curvature A the
// best α is (θ₀−θ*)ᵀA(θ₀−θ_k) / (θ₀−θ_k)ᵀA(θ₀−θ_k) (Zhang et al. 2019, arXiv 1907.08610, Proposition 1).
// With d = θ₀ − θ_k, g the gradient at θ_k and  a diagonal estimate of A this is
// clip(1 + gᵀd / dᵀÂd, min, 1): one number for the whole model, and no division by Â.

import type * as tf from '@tensorflow/tfjs-core';

import { checkKeys, checkNumber, shown } from '../checks/check.js';
import { SlowlaneError } from '../checks/errors.js';
import { scheduleConfig, type ScheduleConfig, scheduleFrom } from '../optimizers/schedules.js';

/** α as a function of the sync index, which counts from 0: a function, or one of `schedules`. */
export type StepSizeSchedule = ((syncIndex: number) => number) | { at(syncIndex: number): number };

/** The slow step size α: a number in [0, 1], a schedule of the sync index, or `adaptive()`. */
export type SlowStepSize = number | StepSizeSchedule | AdaptiveStepSize;

/** Options of `adaptive()`. */
export interface AdaptiveOptions {
  /** Lower bound of α, in [0, 1]. Default 0.1. */
  readonly min?: number;
  /**
   * The diagonal of the curvature for one weight: a tensor of its shape, disposed after use (return a
   * `clone()` of one that you keep). Default: the inner optimizer's second moment (empirical Fisher
   * information).
   */
  readonly curvature?: (weight: tf.Variable) => tf.Tensor;
}

/** What `adaptive()` gives. */
export interface AdaptiveStepSize {
  /** Tells it from a schedule. */
  readonly kind: 'adaptive';
  /** The lower bound of α, in [0, 1]. */
  readonly min: number;
  /** The diagonal of the curvature for one weight. */
  readonly curvature?: (weight: tf.Variable) => tf.Tensor;
}

/**
 * Chooses the slow step size at each sync from the gradient at the fast weights and the curvature. It costs one more
 * evaluation of the loss every `syncPeriod` steps, on the batch of the last step, and one more pass over the weights. It
 * needs an inner optimizer with a second moment, or `curvature`.
 *
 * @throws TypeError on a wrong option; RangeError if `min` is not in [0, 1].
 * @example
 * ```ts
 * import { adam, adaptive, lookahead } from 'slowlane';
 *
 * lookahead(adam(), { slowStepSize: adaptive({ min: 0.2 }) });
 * ```
 */
export function adaptive(options: AdaptiveOptions = {}): AdaptiveStepSize {
  const { min = 0.1, curvature } = checkKeys('adaptive()', options, [
    'min',
    'curvature',
  ]) as AdaptiveOptions;
  if (curvature !== undefined && typeof curvature !== 'function') {
    throw new TypeError(`curvature must be a function of a weight, got ${shown(curvature)}.`);
  }
  return {
    kind: 'adaptive',
    min: checkNumber('min', min, { min: 0, max: 1 }),
    ...(curvature && { curvature }),
  };
}

export function isAdaptive(stepSize: unknown): stepSize is AdaptiveStepSize {
  return (
    typeof stepSize === 'object' &&
    stepSize !== null &&
    'kind' in stepSize &&
    stepSize.kind === 'adaptive'
  );
}

/** Returns `value` if it is a slow step size; `name` is the option it came in. */
export function checkStepSize(name: string, value: unknown): SlowStepSize {
  if (isAdaptive(value)) {
    const { kind: _, ...options } = value;
    return adaptive(options);
  }
  if (isSchedule(value)) return value;
  return checkNumber(name, value, { min: 0, max: 1, or: 'or a schedule or adaptive()' });
}

/** α of the given sync. @throws RangeError if a schedule gives a number outside of [0, 1]. */
export function stepSizeAt(stepSize: StepSizeSchedule, syncIndex: number): number {
  const value = typeof stepSize === 'function' ? stepSize(syncIndex) : stepSize.at(syncIndex);
  return checkNumber(`slowStepSize at sync ${syncIndex}`, value, { min: 0, max: 1 });
}

/**
 * Proposition 1 from gᵀd and dᵀÂd. A model that has not moved (dᵀÂd = 0) gets α = 1: nothing to average.
 *
 * @throws RangeError if one is not finite: neither gives a step size.
 */
export function adaptiveStepSize(gradientDotD: number, dCurvatureD: number, min: number): number {
  if (!Number.isFinite(gradientDotD) || !Number.isFinite(dCurvatureD)) {
    throw new RangeError(
      `adaptive() has no step size: gᵀd is ${gradientDotD} and dᵀÂd is ${dCurvatureD}.`,
    );
  }
  if (dCurvatureD <= 0) return 1;
  return Math.min(1, Math.max(min, 1 + gradientDotD / dCurvatureD));
}

/** @throws RangeError if a caller's curvature is not of the weight's shape. */
export function checkCurvature(curvature: tf.Tensor, weight: tf.Variable): void {
  if (curvature.dtype === 'float32' && String(curvature.shape) === String(weight.shape)) return;
  throw new RangeError(
    `curvature of '${weight.name}' must be float32 of shape [${weight.shape.join(', ')}], got ${curvature.dtype} of shape [${curvature.shape.join(', ')}].`,
  );
}

/** As JSON. @throws SlowlaneError NOT_SERIALIZABLE if it is a function. */
export function stepSizeConfig(
  stepSize: SlowStepSize,
): number | ScheduleConfig | Pick<AdaptiveStepSize, 'kind' | 'min'> {
  if (typeof stepSize === 'number') return stepSize;
  if (isAdaptive(stepSize)) {
    if (stepSize.curvature) throw notSerializable("adaptive()'s curvature");
    return { kind: 'adaptive', min: stepSize.min };
  }
  if (typeof stepSize === 'object' && 'kind' in stepSize) {
    return scheduleConfig(scheduleFrom(stepSize, 'slowStepSize'));
  }
  throw notSerializable('slowStepSize');
}

/** The step size that `stepSizeConfig` saved. */
export function stepSizeFrom(saved: ReturnType<typeof stepSizeConfig>): SlowStepSize {
  if (typeof saved === 'number') return saved;
  if (saved.kind !== 'adaptive') return scheduleFrom(saved, 'slowStepSize');
  return adaptive({ min: (saved as AdaptiveStepSize).min });
}

function notSerializable(what: string): SlowlaneError {
  return new SlowlaneError(
    'NOT_SERIALIZABLE',
    `${what} is a function, which cannot be saved with the model. Use a number, one of schedules.*, a name or a RegExp; or save the model without its optimizer.`,
  );
}

function isSchedule(value: unknown): value is StepSizeSchedule {
  if (typeof value === 'function') return true;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return false; // they have an `at`, too
  return (
    typeof value === 'object' && value !== null && 'at' in value && typeof value.at === 'function'
  );
}
