// The options of `lookahead()`: one table says how each is checked, what its default is, and how it is saved with
// the model and loaded again.

import * as tf from '@tensorflow/tfjs-core';

import { parseBytes } from '../checks/bytes.js';
import { checkChoice, checkKeys, checkNumber, type NumberRange } from '../checks/check.js';
import { SlowlaneError } from '../checks/errors.js';
import { SLOW_FORMATS, type SlowFormat } from '../slow/slow-format.js';
import { checkStepSize, type SlowStepSize, stepSizeConfig, stepSizeFrom } from './step-size.js';
import {
  checkWeightOverrides,
  overridesConfig,
  overridesFrom,
  type WeightOverride,
} from './weights/weight-overrides.js';

const INNER_STATES = ['maintain', 'interpolate', 'reset'] as const;
const NON_FINITE = ['throw', 'skip', 'restore'] as const;
const REPLACED = ['throw', 'resync', 'ignore'] as const;
const SYNCS = ['awaited', 'inline'] as const;
const MIB = 2 ** 20;

/** What becomes of the inner optimizer's state at a sync. */
export type InnerState = (typeof INNER_STATES)[number];

/** What happens at a sync when fast weights hold a NaN or an infinity. */
export type NonFinitePolicy = (typeof NON_FINITE)[number];

/** What happens when something else has changed a weight in mid-training. */
export type ReplacedPolicy = (typeof REPLACED)[number];

/** Who does a sync. */
export type SyncPolicy = (typeof SYNCS)[number];

/** Options of `lookahead()`. */
export interface LookaheadOptions {
  /** Inner steps between syncs: the paper's k. Default 5. */
  syncPeriod?: number;
  /** How far the slow weights go towards the fast ones: the paper's α. Default 0.5. */
  slowStepSize?: SlowStepSize;
  /**
   * `'maintain'` (default): the inner state goes on. `'interpolate'`: its slots get the same blend against
   * their values at the last sync. `'reset'`: it starts afresh, the step count of bias corrections included.
   */
  innerState?: InnerState;
  /** Where slow weights live and in which precision. Default `'host:f32'`, or what the plan of `vramBudget` picks. */
  slow?: SlowFormat;
  /**
   * What a sync does that finds a NaN or an infinity in a weight or in the inner state.
   * `'throw'` (default): nothing is changed, the sync stays due. `'skip'`: this sync is left out, with a
   * warning at the third in a row because of the same value.
   * `'restore'`: fast := slow, and the inner state starts afresh.
   */
  nonFinite?: NonFinitePolicy;
  /**
   * `'awaited'` (default): a sync is done where it can be awaited. `'inline'`: by the step that ends a cycle, on the
   * caller's thread, with the same bits. For loops that can neither await nor pass callbacks, on the cpu and wasm backends.
   */
  sync?: SyncPolicy;
  /**
   * When something else has changed trainable weights since our last write (`model.setWeights`, `loadWeights`, `assign`,
   * another optimizer). `'throw'` (default): the next call throws WEIGHTS_REPLACED. `'resync'`: slow := fast for these
   * weights. `'ignore'`: the new values are fast weights, as for weights that are clipped after each step.
   */
  replaced?: ReplacedPolicy;
  /** Other values for some weights, and weights to exclude. The first entry that matches a weight counts. */
  overrides?: readonly WeightOverride[];
  /**
   * Worker threads that blend for it at a time; 0: none, blend on the caller's thread. Default: cores − 1, at least 1.
   * All Lookaheads of a process share its threads. Chunks of fewer than 65,536 weights need none, nor do larger
   * ones whose blend takes no longer than a message to a thread and back, which is measured once. On wasm none does.
   */
  workers?: number;
  /** Bytes that a sync moves at a time; a multiple of 4. Default 4 MiB; on wasm 128 KiB at most. */
  chunkBytes?: number;
  /** After how many milliseconds a worker that has not finished its chunk counts as hung. Default 30,000. */
  workerTimeoutMs?: number;
  /**
   * A budget (`'4GiB'`, or bytes). With it, what `gradients`, `moments` and `slow` leave open is planned when
   * weights are first seen: the fastest policy that fits, or OVER_BUDGET. `'auto'`: the budget of `startWebGPU`.
   */
  vramBudget?: number | string;
  /** Limits slow weights and moments that wait on the host. Default: no limit. */
  hostBudget?: number | string;
  /** Examples in a batch of a model given to `attach()`. Default: what `fit` was given, else 32. */
  batchSize?: number;
  /** Measured bytes of activations and their gradients, in place of the estimate from the model's layers. */
  activationBytes?: number | string;
}

interface Option<S, Saved> {
  readonly default: S;
  /** Throws TypeError or RangeError. */
  readonly check: (name: string, value: unknown) => S;
  /** Makes JSON of a setting, and an option of that. Absent: the setting is both. */
  readonly save?: (setting: S) => Saved;
  readonly load?: (saved: Saved) => unknown;
}

function option<S, Saved = S>(
  fallback: S,
  check: Option<S, Saved>['check'],
  saving: Pick<Option<S, Saved>, 'save' | 'load'> = {},
): Option<S, Saved> {
  return { default: fallback, check, ...saving };
}

const number = (range: NumberRange) => (name: string, value: unknown) =>
  checkNumber(name, value, range);
const choice =
  <const C extends string>(choices: readonly C[]) =>
  (name: string, value: unknown) =>
    checkChoice(name, value, choices);

/** null: not given. */
const OPTIONS = {
  syncPeriod: option(5, number({ min: 1, max: 2 ** 31 - 1, whole: true })),
  slowStepSize: option<SlowStepSize, ReturnType<typeof stepSizeConfig>>(0.5, checkStepSize, {
    save: stepSizeConfig,
    load: stepSizeFrom,
  }),
  innerState: option<InnerState>('maintain', choice(INNER_STATES)),
  slow: option<SlowFormat | null>(null, choice(SLOW_FORMATS)),
  nonFinite: option<NonFinitePolicy>('throw', choice(NON_FINITE)),
  sync: option<SyncPolicy>('awaited', choice(SYNCS)),
  replaced: option<ReplacedPolicy>('throw', choice(REPLACED)),
  overrides: option([], checkWeightOverrides, { save: overridesConfig, load: overridesFrom }),
  workers: option<number | null>(null, number({ min: 0, max: 256, whole: true })),
  chunkBytes: option(4 * MIB, checkChunkBytes),
  workerTimeoutMs: option(30_000, number({ min: 1, max: 2 ** 31 - 1 })),
  vramBudget: option<number | 'auto' | null>(null, (name, value) =>
    value === 'auto' ? value : parseBytes(name, value),
  ),
  hostBudget: option<number | null>(null, parseBytes),
  batchSize: option<number | null>(null, number({ min: 1, max: 2 ** 31 - 1, whole: true })),
  activationBytes: option<number | null>(null, parseBytes),
};

/** Their names. */
export const LOOKAHEAD_OPTIONS: readonly string[] = Object.keys(OPTIONS);

/** The same, for what treats all options alike. */
const TABLE = Object.entries(OPTIONS) as unknown as readonly [
  keyof typeof OPTIONS,
  Option<unknown, unknown>,
][];

/** The options with defaults filled in. A plan decides `slow` and takes the budget out. */
export type LookaheadSettings = {
  [K in keyof typeof OPTIONS]: (typeof OPTIONS)[K] extends Option<infer S, infer _> ? S : never;
} & {
  /** The module that workers run, for chunks of any size; tests put a faulty one here. Not an option. */
  readonly workerFile?: URL;
};

/** The settings of a Lookahead whose budget was planned, or that has none. */
export const NO_BUDGET = {
  vramBudget: null,
  hostBudget: null,
  batchSize: null,
  activationBytes: null,
} as const;

/** @throws TypeError or RangeError that says which option was wrong, what was received and what is allowed. */
export function checkLookaheadOptions(options: LookaheadOptions | undefined): LookaheadSettings {
  const given = checkKeys('lookahead()', options, LOOKAHEAD_OPTIONS);
  const entries = TABLE.map(([key, { default: fallback, check }]) => [
    key,
    given[key] === undefined ? fallback : check(key, given[key]),
  ]);
  const settings = Object.fromEntries(entries) as LookaheadSettings;
  if (settings.vramBudget !== null) return settings;
  const alone = Object.keys(NO_BUDGET).find((key) => given[key] !== undefined);
  if (alone !== undefined) {
    throw new TypeError(
      `${alone} is for the plan that vramBudget asks for, and there is none. Give vramBudget: '4GiB' too, or leave ${alone} out.`,
    );
  }
  return { ...settings, slow: settings.slow ?? 'host:f32' };
}

type Config = tf.serialization.ConfigDict;

/** The options and the inner optimizer as JSON. @throws SlowlaneError NOT_SERIALIZABLE if an option is a function. */
export function configOf(inner: tf.Optimizer, settings: LookaheadSettings): Config {
  const saved = TABLE.map(([key, { save }]) => [key, save ? save(settings[key]) : settings[key]]);
  return {
    inner: { className: inner.getClassName(), config: inner.getConfig() },
    ...(Object.fromEntries(saved) as Config),
  };
}

/**
 * A new inner optimizer, and the settings.
 *
 * @throws SlowlaneError STATE_MISMATCH if the class of the inner optimizer is not registered.
 */
export function partsOf({ inner, ...saved }: Config): {
  inner: tf.Optimizer;
  settings: LookaheadSettings;
} {
  const options = TABLE.flatMap(([key, { load }]) => {
    const value = saved[key] ?? null;
    return value === null ? [] : [[key, load ? load(value) : value]];
  });
  return {
    inner: innerFrom(inner as { className: string; config: Config }),
    settings: checkLookaheadOptions(Object.fromEntries(options) as LookaheadOptions),
  };
}

function innerFrom({ className, config }: { className: string; config: Config }): tf.Optimizer {
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

function checkChunkBytes(name: string, value: unknown): number {
  const bytes = checkNumber(name, value, { min: 4, max: 256 * MIB, whole: true });
  if (bytes % 4 === 0) return bytes;
  throw new RangeError(`${name} must be a multiple of 4 (bytes of a float32), got ${bytes}.`);
}
