// The options of `lookahead()`, checked once at the door.

import type * as tf from '@tensorflow/tfjs-core';

import {
  BUDGET_KEYS,
  type BudgetOptions,
  type BudgetSettings,
  checkBudget,
} from './lookahead-budget.js';
import { checkChoice, checkKeys, checkNumber, shown } from '../checks/check.js';
import { checkSlowFormat, type SlowFormat } from '../slow/slow-format.js';
import { checkMatcher, matches, type WeightMatcher } from '../checks/weight-matcher.js';
import {
  checkStepSize,
  isAdaptive,
  type SlowStepSize,
  type StepSizeSchedule,
} from './step-size.js';

const INNER_STATES = ['maintain', 'interpolate', 'reset'] as const;
const NON_FINITE = ['throw', 'skip', 'restore'] as const;
const MIB = 2 ** 20;

/** What becomes of the inner optimizer's state at a sync. */
export type InnerState = (typeof INNER_STATES)[number];

/** What happens at a sync when fast weights hold a NaN or an infinity. */
export type NonFinitePolicy = (typeof NON_FINITE)[number];

export interface LookaheadOptions extends BudgetOptions {
  /** Inner steps between syncs: the paper's k. Default 5. */
  syncPeriod?: number;
  /** How far the slow weights go towards the fast ones: the paper's α. Default 0.5. */
  slowStepSize?: SlowStepSize;
  /**
   * `'maintain'` (default): the inner state goes on; `'interpolate'`: its slots get the same blend against
   * their values at the last sync; `'reset'`: it starts afresh, the step count of bias corrections included.
   */
  innerState?: InnerState;
  /** Where slow weights live and in which precision. Default `'host:f32'`. */
  slow?: SlowFormat;
  /**
   * `'throw'` (default): nothing is changed, the sync stays due; `'skip'`: this sync is left out;
   * `'restore'`: fast := slow, and the inner state starts afresh.
   */
  nonFinite?: NonFinitePolicy;
  /** Other values for some weights. The first entry that matches a weight counts. */
  overrides?: readonly WeightOverride[];
  /** Weights that only the inner optimizer sees. */
  exclude?: WeightMatcher | readonly WeightMatcher[];
  /** Worker threads for blends; 0: none, blend on the caller's thread. Default: cores − 1, at least 1. */
  workers?: number;
  /** Bytes that a sync moves at a time; a multiple of 4. Default 4 MiB. */
  chunkBytes?: number;
  /** After how many milliseconds without an answer a worker counts as hung. Default 30,000. */
  workerTimeoutMs?: number;
}

export interface WeightOverride {
  weights: WeightMatcher;
  slowStepSize?: number | StepSizeSchedule;
}

/** The options with defaults filled in. `workers: undefined` means: ask the machine. A plan sets what is not readonly. */
export interface LookaheadSettings {
  readonly syncPeriod: number;
  readonly slowStepSize: SlowStepSize;
  readonly innerState: InnerState;
  slow: SlowFormat;
  readonly isSlowGiven: boolean;
  /** Null: nothing is to be planned, or not any more. */
  budget: BudgetSettings | null;
  readonly nonFinite: NonFinitePolicy;
  readonly overrides: readonly Readonly<WeightOverride>[];
  readonly exclude: readonly WeightMatcher[];
  readonly workers: number | undefined;
  readonly chunkBytes: number;
  readonly workerTimeoutMs: number;
  /** The module that workers run; tests put a faulty one here. Not an option. */
  readonly workerFile?: URL;
}

const KEYS = [
  'syncPeriod',
  'slowStepSize',
  'innerState',
  'slow',
  'nonFinite',
  'overrides',
  'exclude',
  'workers',
  'chunkBytes',
  'workerTimeoutMs',
  ...BUDGET_KEYS,
];

/** @throws TypeError or RangeError that says which option was wrong, what was received and what is allowed. */
export function checkLookaheadOptions(options: LookaheadOptions | undefined): LookaheadSettings {
  checkKeys('lookahead()', options, KEYS);
  const {
    syncPeriod = 5,
    slowStepSize = 0.5,
    innerState = 'maintain',
    slow = 'host:f32',
    nonFinite = 'throw',
    overrides = [],
    exclude = [],
    workers,
    chunkBytes = 4 * MIB,
    workerTimeoutMs = 30_000,
  } = options ?? {};
  return {
    syncPeriod: checkNumber('syncPeriod', syncPeriod, { min: 1, max: 2 ** 31 - 1, whole: true }),
    slowStepSize: checkStepSize('slowStepSize', slowStepSize),
    innerState: checkChoice('innerState', innerState, INNER_STATES),
    slow: checkSlowFormat(slow),
    isSlowGiven: options?.slow !== undefined,
    budget: checkBudget(options),
    nonFinite: checkChoice('nonFinite', nonFinite, NON_FINITE),
    overrides: checkOverrides(overrides),
    exclude: [exclude].flat().map((matcher) => checkMatcher('exclude', matcher)),
    workers:
      workers === undefined
        ? undefined
        : checkNumber('workers', workers, { min: 0, max: 256, whole: true }),
    chunkBytes: checkChunkBytes(chunkBytes),
    workerTimeoutMs: checkNumber('workerTimeoutMs', workerTimeoutMs, { min: 1, max: 2 ** 31 - 1 }),
  };
}

/** The step size of one weight, or null if it is excluded. */
export function settingsOf(
  weight: tf.Variable,
  settings: LookaheadSettings,
): { slowStepSize: SlowStepSize } | null {
  if (settings.exclude.some((matcher) => matches(matcher, weight))) return null;
  const override = settings.overrides.find(({ weights }) => matches(weights, weight));
  return { slowStepSize: override?.slowStepSize ?? settings.slowStepSize };
}

function checkChunkBytes(value: unknown): number {
  const bytes = checkNumber('chunkBytes', value, { min: 4, max: 256 * MIB, whole: true });
  if (bytes % 4 === 0) return bytes;
  throw new RangeError(`chunkBytes must be a multiple of 4 (bytes of a float32), got ${bytes}.`);
}

function checkOverrides(value: unknown): Readonly<WeightOverride>[] {
  if (!Array.isArray(value)) {
    throw new TypeError(`overrides must be an array of { weights, … }, got ${shown(value)}.`);
  }
  return value.map((entry: unknown, i) => {
    const at = `overrides[${i}]`;
    checkKeys(at, entry, ['weights', 'slowStepSize']);
    const { weights, slowStepSize } = (entry ?? {}) as Partial<WeightOverride>;
    const checked: WeightOverride = { weights: checkMatcher(`${at}.weights`, weights) };
    if (slowStepSize !== undefined) {
      const stepSize = checkStepSize(`${at}.slowStepSize`, slowStepSize);
      if (isAdaptive(stepSize)) {
        throw new TypeError(
          `${at}.slowStepSize cannot be adaptive(): that is one number for the whole model.`,
        );
      }
      checked.slowStepSize = stepSize;
    }
    return checked;
  });
}
