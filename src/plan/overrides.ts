// `overrides` of a plan: other policies for some weights.

import type * as tf from '@tensorflow/tfjs-core';

import { checkBoolean, checkChoice, checkNumber } from '../checks/check.js';
import {
  checkAllMatch,
  checkOverrides,
  type ForWeights,
  type OverrideChecks,
  overrideOf,
} from '../checks/overrides.js';
import { checkMoments, type MomentPolicy } from '../optimizers/step-options.js';
import { SLOW_FORMATS, type SlowFormat } from '../slow/slow-format.js';
import type { PlannedWeight, WeightPolicy } from './policies.js';

/**
 * An entry of Lookahead's `overrides` and of the inner optimizer's `overrides` in one. Of the entries that set
 * `moments`, the first that matches a weight counts. The same holds for those that set anything else.
 */
export interface PlanOverride extends ForWeights {
  /** How their slow weights are kept. */
  slow?: SlowFormat;
  /** Changes no bytes. */
  slowStepSize?: number;
  /** true: Lookahead leaves these weights alone. */
  exclude?: boolean;
  /** Where the inner optimizer's slots are kept, and in which precision. */
  moments?: MomentPolicy;
}

/** An override as a plan reports it. */
export interface DescribedOverride extends Readonly<Omit<PlanOverride, 'weights'>> {
  /** The pattern as it would stand in code. */
  readonly weights: string;
  /** Number of trained weights that it matches. */
  readonly count: number;
}

const CHECKS: OverrideChecks<PlanOverride> = {
  slow: (name, value) => checkChoice(name, value, SLOW_FORMATS),
  slowStepSize: (name, value) => checkNumber(name, value, { min: 0, max: 1 }),
  exclude: checkBoolean,
  moments: checkMoments,
};

/** @throws TypeError or RangeError on a wrong value. */
export function checkPlanOverrides(value: unknown): readonly Readonly<PlanOverride>[] {
  return checkExclusions('overrides', checkOverrides('overrides', value, CHECKS));
}

/** Returns `overrides`. @throws TypeError if an entry excludes its weights and sets something for them. */
export function checkExclusions<
  T extends { exclude?: boolean; slow?: unknown; slowStepSize?: unknown },
>(name: string, overrides: readonly T[]): readonly T[] {
  for (const [i, { exclude, slow, slowStepSize }] of overrides.entries()) {
    if (exclude !== true || (slow === undefined && slowStepSize === undefined)) continue;
    throw new TypeError(
      `${name}[${i}] excludes its weights from Lookahead and sets ${slow === undefined ? 'slowStepSize' : 'slow'} for them. Remove one of the two.`,
    );
  }
  return overrides;
}

/** The weights, each with its own policy. */
export function withOverrides(
  weights: readonly PlannedWeight[],
  overrides: readonly PlanOverride[],
): PlannedWeight[] {
  const ofInner = overrides.filter(({ moments }) => moments !== undefined);
  const ofLookahead = overrides.filter(
    ({ slow, slowStepSize, exclude }) => (slow ?? slowStepSize ?? exclude) !== undefined,
  );
  return weights.map((weight) => {
    const { slow, exclude } = overrideOf(ofLookahead, asVariable(weight)) ?? {};
    const { moments } = overrideOf(ofInner, asVariable(weight)) ?? {};
    const own: WeightPolicy = {
      ...(moments === undefined ? {} : { moments }),
      ...(exclude === true ? { slow: null } : slow === undefined ? {} : { slow }),
    };
    return { ...weight, own };
  });
}

/** @throws SlowlaneError UNMATCHED_OVERRIDE if an entry matches no trained weight. */
export function checkPlanMatches(
  weights: readonly PlannedWeight[],
  overrides: readonly PlanOverride[],
): void {
  const trained = weights.filter(({ isTrained }) => isTrained);
  checkAllMatch('overrides', overrides, trained.map(asVariable));
}

export function describeOverrides(
  weights: readonly PlannedWeight[],
  overrides: readonly PlanOverride[],
): DescribedOverride[] {
  return overrides.map((entry) => ({
    ...entry,
    weights: typeof entry.weights === 'string' ? `'${entry.weights}'` : String(entry.weights),
    count: weights.filter(
      (weight) => weight.isTrained && overrideOf([entry], asVariable(weight)) !== undefined,
    ).length,
  }));
}

/** Matchers read the name of a weight. Only functions read more, and `plan()` accepts them only with variables. */
function asVariable({ variable, name }: PlannedWeight): tf.Variable {
  return variable ?? ({ name } as tf.Variable);
}
