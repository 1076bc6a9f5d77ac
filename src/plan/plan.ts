// `plan()`: what training will take, before anything is allocated, and the best place for everything.

import { parseBytes } from '../checks/bytes.js';
import { checkChoice, checkKeys, checkNumber, shown } from '../checks/check.js';
import type { GradientLifetime, MomentPolicy } from '../optimizers/step-options.js';
import type { SlowFormat } from '../slow/slow-format.js';
import type { PlannedLayers } from './activations.js';
import { type BusName, checkBus } from './bus.js';
import { INNER_NAMES, type InnerName } from '../optimizers/rules/names.js';
import { ruleOf } from './step-bytes.js';
import { makePlan, type Plan } from './make-plan.js';
import { type PlannableModel, readModel } from './model.js';
import {
  checkPlanMatches,
  checkPlanOverrides,
  describeOverrides,
  type PlanOverride,
  withOverrides,
} from './overrides.js';
import { checkFixed, type PlannedWeight } from './policies.js';
import { checkWeights, type PlanWeights } from './weights.js';

/** Options of `plan()`. */
export interface PlanOptions {
  /** The weights, or how many parameters. Give either these or `model`. */
  weights?: PlanWeights;
  /** A built `tf.LayersModel`. Its layers also give the bytes of activations. */
  model?: PlannableModel;
  /** How many equal weights a bare number of parameters stands for. Default 16. */
  layers?: number;
  /** The inner optimizer. Default `'adam'`. */
  inner?: InnerName;
  /** `'4GiB'` or bytes; `'auto'`: all of `deviceMemoryBytes`. */
  vramBudget: number | string;
  /** The memory that a driver reports, for `vramBudget: 'auto'`. WebGPU does not report it. */
  deviceMemoryBytes?: number;
  /** For slow weights and moments on the host: `'8GiB'` or bytes. Default: no limit. */
  hostBudget?: number | string;
  /** Examples per batch, with `accumulate` per micro-batch. Default 32. It matters for a `model`. */
  batchSize?: number;
  /** Micro-batches per step, as in the options of the inner optimizer. Default 1. */
  accumulate?: number;
  /** With `weights`: the measured bytes of activations and their gradients at this batch size. Default 0. */
  activationBytes?: number | string;
  /** Steps between syncs. Default 5. */
  syncPeriod?: number;
  /** Bytes that a sync moves at a time. Default 4 MiB. */
  chunkBytes?: number;
  /** `'pcie4x16'`, `'12GB/s'` or bytes per second. Without it the plan gives no time. */
  bus?: BusName | number | (string & {});
  /** Plan only with this lifetime of gradients. */
  gradients?: GradientLifetime;
  /** Plan only with moments kept like this. */
  moments?: MomentPolicy;
  /** Plan only with slow weights kept like this. */
  slow?: SlowFormat;
  /**
   * Other policies for some weights: the `overrides` of `lookahead()` and of the inner optimizer in one list. The
   * plan chooses what they leave open. They need the names of the weights: a `model`, or `weights` with names.
   */
  overrides?: readonly PlanOverride[];
}

const KEYS = [
  'weights',
  'model',
  'layers',
  'inner',
  'vramBudget',
  'deviceMemoryBytes',
  'hostBudget',
  'batchSize',
  'accumulate',
  'activationBytes',
  'syncPeriod',
  'chunkBytes',
  'bus',
  'gradients',
  'moments',
  'slow',
  'overrides',
];
const MIB = 2 ** 20;

/**
 * Plans Lookahead on the WebGPU engine: the bytes on the device, on the host and over the bus for each policy, and
 * the fastest policy that fits. Pure arithmetic: it allocates nothing and asks no device.
 *
 * @throws TypeError or RangeError that says which option was wrong, what was received and what is allowed;
 * SlowlaneError UNMATCHED_OVERRIDE if an entry of `overrides` matches no trained weight.
 * @example
 * import { describePlan, plan } from 'slowlane';
 *
 * const made = plan({ weights: '350M', inner: 'adam', vramBudget: '6GiB' });
 * console.log(describePlan(made)); // → lookahead(adam(), { slow: 'host:f16' }) …
 */
export function plan(options: PlanOptions): Plan {
  const given = checkKeys('plan()', options, KEYS);
  const { inner = 'adam', hostBudget } = given;
  const count = (name: string, fallback: number, max = 2 ** 31 - 1, min = 1) =>
    checkNumber(name, given[name] ?? fallback, { min, max, whole: true });
  const layers = count('layers', 16, 100_000);
  const name = checkChoice('inner', inner, INNER_NAMES);
  const subject = subjectOf(given, layers);
  const overrides = overridesOf(given, subject);
  return makePlan({
    inner: name,
    training: {
      weights: withOverrides(subject.weights, overrides),
      layers: subject.layers,
      givenActivationBytes: subject.activationBytes,
      batchSize: count('batchSize', 32),
      accumulate: count('accumulate', 1, 2 ** 20),
      rule: ruleOf(name),
      syncPeriod: count('syncPeriod', 5),
      chunkBytes: count('chunkBytes', 4 * MIB, 256 * MIB, 512),
    },
    budgets: {
      deviceBytes: vramBudgetOf(given),
      hostBytes: hostBudget === undefined ? Infinity : parseBytes('hostBudget', hostBudget),
    },
    busBytesPerSecond: checkBus('bus', given['bus']),
    fixed: checkFixed(given),
    overrides: describeOverrides(subject.weights, overrides),
    layers,
    assumptions: subject.assumptions,
  });
}

function overridesOf(
  given: Readonly<Record<string, unknown>>,
  { weights }: Subject,
): readonly PlanOverride[] {
  const overrides = checkPlanOverrides(given['overrides']);
  if (overrides.length === 0) return overrides;
  const list = given['weights'];
  const isNamed = (weight: { readonly name?: unknown }) => typeof weight.name === 'string';
  if (list !== undefined && !(Array.isArray(list) && list.every(isNamed))) {
    throw new TypeError(
      "overrides pick weights by name, and these weights have none. Give a model, or weights: [{ name: 'dense/kernel', shape: [512, 512] }, …].",
    );
  }
  if (list !== undefined && overrides.some((entry) => typeof entry.weights === 'function')) {
    throw new TypeError(
      'overrides with a function need variables, and weights have only names. Give a model, a name or a RegExp.',
    );
  }
  checkPlanMatches(weights, overrides);
  return overrides;
}

interface Subject {
  readonly weights: readonly PlannedWeight[];
  readonly layers: PlannedLayers | null;
  readonly activationBytes: number;
  readonly assumptions: readonly string[];
}

function subjectOf(given: Readonly<Record<string, unknown>>, layerCount: number): Subject {
  const { weights, model, activationBytes } = given;
  if ((weights === undefined) === (model === undefined)) {
    const got = weights === undefined ? 'neither' : 'both';
    throw new TypeError(`plan() needs either weights ('350M') or a model, got ${got}.`);
  }
  if (model !== undefined) {
    if (activationBytes !== undefined) {
      throw new TypeError(
        'activationBytes goes with weights. For a model they follow from its layers: leave it out.',
      );
    }
    return { ...readModel(model as PlannableModel), activationBytes: 0 };
  }
  const isCount = !Array.isArray(weights);
  return {
    weights: checkWeights(weights, layerCount),
    layers: null,
    activationBytes:
      activationBytes === undefined ? 0 : parseBytes('activationBytes', activationBytes),
    assumptions: [
      ...(isCount ? [`${layerCount} weights of the same size`] : []),
      ...(activationBytes === undefined
        ? ['activations are not counted: give a model, or the activationBytes you have measured']
        : []),
    ],
  };
}

function vramBudgetOf(given: Readonly<Record<string, unknown>>): number {
  const { vramBudget, deviceMemoryBytes } = given;
  if (vramBudget === undefined) {
    throw new TypeError(`plan() needs a vramBudget: '4GiB', a number of bytes or 'auto'.`);
  }
  if (vramBudget !== 'auto') return parseBytes('vramBudget', vramBudget);
  if (deviceMemoryBytes !== undefined) return parseBytes('deviceMemoryBytes', deviceMemoryBytes);
  throw new TypeError(
    `vramBudget: 'auto' needs deviceMemoryBytes, the memory that the driver reports: WebGPU does not report it. ` +
      `Give that, or the budget itself, got deviceMemoryBytes ${shown(deviceMemoryBytes)}.`,
  );
}
