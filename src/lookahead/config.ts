// A Lookahead's options as JSON, for `model.save` with the optimizer, and back.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import { BUDGET_KEYS, type BudgetOptions } from './lookahead-budget.js';
import type { LookaheadOptions, LookaheadSettings, WeightOverride } from './options.js';
import { scheduleConfig, scheduleFrom } from '../optimizers/schedules.js';
import type { SlowFormat } from '../slow/slow-format.js';
import { type MatcherConfig, matcherConfig, matcherFrom } from '../checks/weight-matcher.js';
import { adaptive, isAdaptive, type SlowStepSize } from './step-size.js';

type Config = tf.serialization.ConfigDict;

/** @throws SlowlaneError NOT_SERIALIZABLE if an option is a function. */
export function configOf(inner: tf.Optimizer, settings: LookaheadSettings): Config {
  const { syncPeriod, innerState, slow, nonFinite, workers, chunkBytes, workerTimeoutMs } =
    settings;
  return {
    inner: { className: inner.getClassName(), config: inner.getConfig() },
    syncPeriod,
    slowStepSize: stepSizeConfig(settings.slowStepSize),
    innerState,
    slow: settings.budget !== null && !settings.isSlowGiven ? null : slow,
    ...settings.budget,
    nonFinite,
    overrides: settings.overrides.map((override) => ({
      weights: matcherConfig('overrides', override.weights),
      slowStepSize:
        override.slowStepSize === undefined ? null : stepSizeConfig(override.slowStepSize),
    })),
    exclude: settings.exclude.map((matcher) => matcherConfig('exclude', matcher)),
    workers: workers ?? null,
    chunkBytes,
    workerTimeoutMs,
  };
}

/** The inner optimizer, made anew, and the options. */
export function partsOf(config: Config): { inner: tf.Optimizer; options: LookaheadOptions } {
  const saved = config as unknown as SavedConfig;
  return {
    inner: innerFrom(saved.inner),
    options: {
      syncPeriod: saved.syncPeriod,
      slowStepSize: stepSizeFrom(saved.slowStepSize),
      innerState: saved.innerState,
      ...(saved.slow !== null && { slow: saved.slow }),
      ...budgetFrom(saved),
      nonFinite: saved.nonFinite,
      overrides: saved.overrides.map((override) => ({
        weights: matcherFrom(override.weights),
        ...(override.slowStepSize !== null && {
          slowStepSize: stepSizeFrom(override.slowStepSize) as NonNullable<
            WeightOverride['slowStepSize']
          >,
        }),
      })),
      exclude: saved.exclude.map(matcherFrom),
      ...(saved.workers !== null && { workers: saved.workers }),
      chunkBytes: saved.chunkBytes,
      workerTimeoutMs: saved.workerTimeoutMs,
    },
  };
}

type SavedBudget = Partial<Record<(typeof BUDGET_KEYS)[number], unknown>>;

/** What `configOf` gave, after JSON. */
interface SavedConfig
  extends
    SavedBudget,
    Required<
      Pick<
        LookaheadOptions,
        'syncPeriod' | 'innerState' | 'nonFinite' | 'chunkBytes' | 'workerTimeoutMs'
      >
    > {
  inner: { className: string; config: Config };
  /** Null: to be planned. */
  slow: SlowFormat | null;
  slowStepSize: unknown;
  overrides: { weights: MatcherConfig; slowStepSize: unknown }[];
  exclude: MatcherConfig[];
  workers: number | null;
}

/** Null, and keys that are not there: not given. */
function budgetFrom(saved: SavedBudget): BudgetOptions {
  const given = BUDGET_KEYS.flatMap((key) =>
    (saved[key] ?? null) === null ? [] : [[key, saved[key]]],
  );
  return Object.fromEntries(given) as BudgetOptions;
}

function innerFrom({ className, config }: SavedConfig['inner']): tf.Optimizer {
  const known = tf.serialization.SerializationMap.getMap().classNameMap[className];
  if (!known) {
    throw new SlowlaneError(
      'STATE_MISMATCH',
      `The saved Lookahead has an inner optimizer of class '${className}', which is not known here. Register it with tf.serialization.registerClass before loading.`,
      { className },
    );
  }
  const [cls, fromConfig] = known;
  return fromConfig(cls, config) as tf.Optimizer;
}

function stepSizeConfig(stepSize: SlowStepSize): number | Config {
  if (typeof stepSize === 'number') return stepSize;
  if (isAdaptive(stepSize)) {
    if (stepSize.curvature) throw notSerializable("adaptive()'s curvature");
    return { kind: 'adaptive', min: stepSize.min };
  }
  if (typeof stepSize === 'object' && 'kind' in stepSize) {
    const saved: Config = scheduleConfig(scheduleFrom(stepSize, 'slowStepSize'));
    return saved;
  }
  throw notSerializable('slowStepSize');
}

function stepSizeFrom(saved: unknown): SlowStepSize {
  if (typeof saved === 'number') return saved;
  const { kind, min } = saved as { kind: string; min: number };
  return kind === 'adaptive' ? adaptive({ min }) : scheduleFrom(saved, 'slowStepSize');
}

function notSerializable(what: string): SlowlaneError {
  return new SlowlaneError(
    'NOT_SERIALIZABLE',
    `${what} is a function, which cannot be saved with the model. Use a number, one of schedules.*, a name or a RegExp; or save the model without its optimizer.`,
  );
}
