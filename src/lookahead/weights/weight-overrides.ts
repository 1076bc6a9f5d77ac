// `overrides` of `lookahead()`: other values for some weights, and weights that are left alone.

import type * as tf from '@tensorflow/tfjs-core';

import { checkBoolean, checkChoice } from '../../checks/check.js';
import {
  checkOverrides,
  type ForWeights,
  type OverrideChecks,
  overrideOf,
} from '../../checks/overrides.js';
import { matcherConfig, matcherFrom } from '../../checks/weight-matcher.js';
import { checkExclusions } from '../../plan/overrides.js';
import { SLOW_FORMATS, type SlowFormat } from '../../slow/slow-format.js';
import {
  checkStepSize,
  isAdaptive,
  type SlowStepSize,
  stepSizeConfig,
  stepSizeFrom,
  type StepSizeSchedule,
} from '../step-size.js';

/** Other values of options for some weights. */
export interface WeightOverride extends ForWeights {
  /** Where their slow weights live, and in which precision. */
  slow?: SlowFormat;
  /** Their slow step size: a number in [0, 1] or a schedule. */
  slowStepSize?: number | StepSizeSchedule;
  /** true: only the inner optimizer sees these weights. Such an entry sets nothing else. */
  exclude?: boolean;
}

const CHECKS: OverrideChecks<WeightOverride> = {
  slow: (name, value) => checkChoice(name, value, SLOW_FORMATS),
  slowStepSize: checkOwnStepSize,
  exclude: checkBoolean,
};

/** @throws TypeError or RangeError on a wrong value. */
export function checkWeightOverrides(
  name: string,
  value: unknown,
): readonly Readonly<WeightOverride>[] {
  return checkExclusions(name, checkOverrides(name, value, CHECKS));
}

export interface WeightSettings {
  readonly slow: SlowFormat;
  readonly slowStepSize: SlowStepSize;
}

/** What counts for one weight: its own values, else `all`'s. null if it is excluded. */
export function settingsOf(
  weight: tf.Variable,
  overrides: readonly Readonly<WeightOverride>[],
  all: WeightSettings,
): WeightSettings | null {
  const override = overrideOf(overrides, weight);
  if (override?.exclude === true) return null;
  const { slow = all.slow, slowStepSize = all.slowStepSize } = override ?? {};
  return { slow, slowStepSize };
}

/** @throws SlowlaneError NOT_SERIALIZABLE if a matcher or a schedule is a function. */
export function overridesConfig(overrides: readonly Readonly<WeightOverride>[]) {
  return overrides.map(({ weights, slowStepSize, ...rest }) => ({
    ...rest,
    weights: matcherConfig('overrides', weights),
    ...(slowStepSize !== undefined && { slowStepSize: stepSizeConfig(slowStepSize) }),
  }));
}

/** What `overridesConfig` gave, as an option that is still to be checked. */
export function overridesFrom(saved: ReturnType<typeof overridesConfig>): unknown[] {
  return saved.map(({ weights, slowStepSize, ...rest }) => ({
    ...rest,
    weights: matcherFrom(weights),
    ...(slowStepSize !== undefined && { slowStepSize: stepSizeFrom(slowStepSize) }),
  }));
}

function checkOwnStepSize(name: string, value: unknown): number | StepSizeSchedule {
  const stepSize = checkStepSize(name, value);
  if (!isAdaptive(stepSize)) return stepSize;
  throw new TypeError(`${name} cannot be adaptive(): that is one number for the whole model.`);
}
