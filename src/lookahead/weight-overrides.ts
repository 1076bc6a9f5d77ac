// `overrides` of `lookahead()`: other values for some weights, and weights that are left alone.

import type * as tf from '@tensorflow/tfjs-core';

import { checkBoolean, checkChoice } from '../checks/check.js';
import { checkOverrides, type ForWeights, overrideOf } from '../checks/overrides.js';
import { matcherConfig, matcherFrom } from '../checks/weight-matcher.js';
import { SLOW_FORMATS, type SlowFormat } from '../slow/slow-format.js';
import {
  checkStepSize,
  isAdaptive,
  type SlowStepSize,
  stepSizeConfig,
  stepSizeFrom,
  type StepSizeSchedule,
} from './step-size.js';

/** Other values of options for some weights. */
export interface WeightOverride extends ForWeights {
  /** Where their slow weights live, and in which precision. */
  slow?: SlowFormat;
  /** Their slow step size: a number in [0, 1] or a schedule. */
  slowStepSize?: number | StepSizeSchedule;
  /** true: only the inner optimizer sees these weights. Such an entry sets nothing else. */
  exclude?: boolean;
}

const KEYS = ['slow', 'slowStepSize', 'exclude'] as const;

/** @throws TypeError or RangeError on a wrong value. */
export function checkWeightOverrides(
  name: string,
  value: unknown,
): readonly Readonly<WeightOverride>[] {
  return checkOverrides<WeightOverride>(
    name,
    value,
    KEYS,
    (at, { slow, slowStepSize, exclude }) => {
      const isExcluded = exclude === undefined ? false : checkBoolean(`${at}.exclude`, exclude);
      if (isExcluded && (slow !== undefined || slowStepSize !== undefined)) {
        throw new TypeError(
          `${at} excludes its weights from Lookahead and sets ${slow === undefined ? 'slowStepSize' : 'slow'} for them. Remove one of the two.`,
        );
      }
      return {
        ...(slow === undefined ? {} : { slow: checkChoice(`${at}.slow`, slow, SLOW_FORMATS) }),
        ...(slowStepSize === undefined
          ? {}
          : { slowStepSize: checkOwnStepSize(`${at}.slowStepSize`, slowStepSize) }),
        ...(exclude === undefined ? {} : { exclude: isExcluded }),
      };
    },
  );
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
  return overrides.map(({ weights, slow, slowStepSize, exclude }) => ({
    /** The weights it is for. */
    weights: matcherConfig('overrides', weights),
    slow: slow ?? null,
    slowStepSize: slowStepSize === undefined ? null : stepSizeConfig(slowStepSize),
    exclude: exclude ?? null,
  }));
}

/** What `overridesConfig` gave, as an option that is still to be checked. */
export function overridesFrom(saved: ReturnType<typeof overridesConfig>): unknown[] {
  return saved.map(({ weights, slow, slowStepSize, exclude }) => ({
    weights: matcherFrom(weights),
    ...(slow !== null && { slow }),
    ...(slowStepSize !== null && { slowStepSize: stepSizeFrom(slowStepSize) }),
    ...(exclude !== null && { exclude }),
  }));
}

function checkOwnStepSize(name: string, value: unknown): number | StepSizeSchedule {
  const stepSize = checkStepSize(name, value);
  if (!isAdaptive(stepSize)) return stepSize;
  throw new TypeError(`${name} cannot be adaptive(): that is one number for the whole model.`);
}
