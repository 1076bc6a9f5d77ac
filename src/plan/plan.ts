// `plan()`: what training will take, before anything is allocated, and where everything is best kept.

import { makePlan, type Plan } from './make-plan.js';
import { checkChoice, checkKeys, checkNumber, shown } from '../checks/check.js';
import { type PlannableModel, readModel } from './model.js';
import { parseBytes } from '../checks/bytes.js';
import type { PlannedLayers } from './activations.js';
import { type BusName, checkBus } from './bus.js';
import type { Training } from './policy-bytes.js';
import type { Budgets } from './choice.js';
import {
  checkFixed,
  type GradientsPolicy,
  type MomentsPolicy,
  PLANNED_INNERS,
  type PlannedInner,
  type PlannedWeight,
  ruleOf,
} from './policies.js';
import { checkWeights, type PlanWeights } from './weights.js';
import type { SlowFormat } from '../slow/slow-format.js';

export interface PlanOptions {
  /** The weights, or how many parameters. Either these or `model`. */
  weights?: PlanWeights;
  /** A built `tf.LayersModel`: its weights, and its activations from the shapes of its layers. */
  model?: PlannableModel;
  /** Of a bare number of parameters: how many weights of the same size they are. Default 16. */
  layers?: number;
  /** The inner rule. Default `'adam'`. */
  inner?: PlannedInner;
  /** `'4GiB'` or bytes; `'auto'`: all of `deviceMemoryBytes`. */
  vramBudget: number | string;
  /** What a driver reports, for `vramBudget: 'auto'`. WebGPU doesn't tell. */
  deviceMemoryBytes?: number;
  /** For slow weights and moments; `'8GiB'` or bytes. Default: no limit. */
  hostBudget?: number | string;
  /** Default 32; matters for a `model`. With `accumulate` of a micro-batch. */
  batchSize?: number;
  /** Micro-batches to a step, as in the options of the inner rule. Default 1. */
  accumulate?: number;
  /** With `weights`: what activations and their gradients take at this batch, if you have measured it. Default 0. */
  activationBytes?: number | string;
  /** Default 5. */
  syncPeriod?: number;
  /** Bytes that a sync moves at a time. Default 4 MiB. */
  chunkBytes?: number;
  /** `'pcie4x16'`, `'12GB/s'` or bytes a second. Without it no time is given. */
  bus?: BusName | number | (string & {});
  /** Decided by you instead of the planner. */
  gradients?: GradientsPolicy;
  moments?: MomentsPolicy;
  slow?: SlowFormat;
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
];
const MIB = 2 ** 20;

/**
 * Plans Lookahead on the WebGPU engine: bytes on the device, on the host and over the bus for every policy,
 * and the fastest that fits. Pure arithmetic: allocates nothing, asks no device.
 *
 * @throws TypeError or RangeError that says which option was wrong, what was received and what is allowed.
 */
export function plan(options: PlanOptions): Plan {
  const given = checkKeys('plan()', options, KEYS);
  const { inner = 'adam', syncPeriod = 5, batchSize = 32, accumulate = 1, layers = 16 } = given;
  const layerCount = checkNumber('layers', layers, { min: 1, max: 100_000, whole: true });
  const name = checkChoice('inner', inner, PLANNED_INNERS);
  const subject = subjectOf(given, layerCount);
  const training: Training = {
    weights: subject.weights,
    layers: subject.layers,
    givenActivationBytes: subject.activationBytes,
    batchSize: checkNumber('batchSize', batchSize, { min: 1, max: 2 ** 31 - 1, whole: true }),
    accumulate: checkNumber('accumulate', accumulate, { min: 1, max: 2 ** 20, whole: true }),
    rule: ruleOf(name),
    syncPeriod: checkNumber('syncPeriod', syncPeriod, { min: 1, max: 2 ** 31 - 1, whole: true }),
    chunkBytes: checkNumber('chunkBytes', given['chunkBytes'] ?? 4 * MIB, {
      min: 512,
      max: 256 * MIB,
      whole: true,
    }),
  };
  const budgets: Budgets = {
    deviceBytes: vramBudgetOf(given),
    hostBytes:
      given['hostBudget'] === undefined ? Infinity : parseBytes('hostBudget', given['hostBudget']),
  };
  return makePlan({
    inner: name,
    training,
    budgets,
    busBytesPerSecond: checkBus('bus', given['bus']),
    fixed: checkFixed(given),
    layers: layerCount,
    assumptions: subject.assumptions,
  });
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
        'activationBytes goes with weights: of a model they follow from its layers.',
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
    `vramBudget: 'auto' needs deviceMemoryBytes, the memory that the driver reports; WebGPU doesn't tell. ` +
      `Give that, or the budget itself, got deviceMemoryBytes ${shown(deviceMemoryBytes)}.`,
  );
}
