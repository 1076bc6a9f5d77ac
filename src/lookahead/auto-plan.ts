// The plan that a Lookahead with a budget makes when its weights are first seen, just before they are captured
// and before the first step: gradients, moments and slow weights, as far as its caller left them open.

import * as tf from '@tensorflow/tfjs-core';

import { engineOf } from '../engine/engine.js';
import { describeShortfall } from '../plan/describe.js';
import { SlowlaneError } from '../checks/errors.js';
import { type LookaheadSettings, NO_BUDGET } from './options.js';
import { type LayersModelLike, weightsOf } from './layers-model.js';
import { makePlan, type Plan } from '../plan/make-plan.js';
import { describeOverrides, type PlanOverride, withOverrides } from '../plan/overrides.js';
import type { WeightOverride } from './weights/weight-overrides.js';
import type { InnerOptimizer } from '../optimizers/inner-optimizer.js';
import type { Plannable } from '../optimizers/step-policy.js';
import { type PlannableModel, readModel } from '../plan/model.js';
import type { PlannedLayers } from '../plan/activations.js';
import type { PlannedWeight, Policy } from '../plan/policies.js';
import { isAdaptive } from './step-size.js';
import { allVariables } from '../tfjs/variables.js';

type Source = LayersModelLike | readonly tf.Variable[];

/** For the largest model of a plan. */
const EQUAL_LAYERS = 16;
const DEFAULT_BATCH = 32;
/** Backends whose memory is host memory. They plan as if for the WebGPU engine. */
const HOST_BACKENDS = ['cpu', 'wasm'];

export interface PlanHints {
  /** Of `fit`. */
  readonly batchSize?: number | undefined;
  /** They are there already, all of them. */
  readonly hasGradients?: boolean;
}

export class AutoPlan {
  readonly #inner: InnerOptimizer;
  readonly #settings: LookaheadSettings;
  #plan: Plan | null = null;

  /** `settings` is the Lookahead's own copy, which gets what is decided. */
  constructor(inner: InnerOptimizer, settings: LookaheadSettings) {
    this.#inner = inner;
    this.#settings = settings;
    if (settings.vramBudget !== null) inner.plannable?.().expectChoice();
  }

  get plan(): Plan | null {
    return this.#plan;
  }

  /**
   * Plans for the weights of `source` (undefined: all that can be trained) and decides, once; later calls do
   * nothing. If it throws, nothing has changed.
   *
   * @throws SlowlaneError OVER_BUDGET, UNSUPPORTED, UNSUPPORTED_INNER.
   */
  make(source: Source | undefined, hints: PlanHints = {}): void {
    const { vramBudget, hostBudget } = this.#settings;
    const inner = this.#inner.plannable?.();
    if (vramBudget === null || inner === undefined) return;
    if (!inner.isOpen) throw hasStepped(inner.name);
    const subject = subjectOf(source, this.#settings, hints);
    if (subject.weights.length === 0) return;
    const overrides = [...planned(this.#settings.overrides), ...inner.overrides];
    const weights = withOverrides(subject.weights, overrides);
    const made = makePlan({
      inner: inner.name,
      training: {
        ...subject,
        weights,
        accumulate: inner.accumulate,
        rule: inner,
        syncPeriod: this.#settings.syncPeriod,
        chunkBytes: this.#settings.chunkBytes,
      },
      budgets: {
        deviceBytes: deviceBudget(vramBudget),
        hostBytes: hostBudget ?? Infinity,
      },
      busBytesPerSecond: null,
      fixed: this.#fixed(inner, hints),
      overrides: describeOverrides(weights, overrides),
      layers: EQUAL_LAYERS,
      assumptions: subject.assumptions,
    });
    if (made.pick === null) throw overBudget(made);
    const { gradients, moments, slow } = made.pick.policy;
    inner.choose({ gradients, moments });
    Object.assign(this.#settings, NO_BUDGET, { slow });
    this.#plan = made;
  }

  #fixed(inner: Plannable, { hasGradients = false }: PlanHints): Partial<Policy> {
    const { innerState, slowStepSize, slow } = this.#settings;
    const isByCurvature = isAdaptive(slowStepSize) && !slowStepSize.curvature;
    return {
      // adaptive() takes all gradients at once at each sync.
      ...(hasGradients || isAdaptive(slowStepSize) ? { gradients: 'keep' } : {}),
      ...(innerState === 'interpolate' || isByCurvature ? { moments: 'device:f32' } : {}),
      ...inner.fixed,
      ...(slow === null ? {} : { slow }),
    };
  }
}

/** A schedule of the step size changes no bytes; `exclude: false` keeps its entry the first that matches. */
function planned(overrides: readonly Readonly<WeightOverride>[]): PlanOverride[] {
  return overrides.map(({ slowStepSize, ...rest }) =>
    typeof slowStepSize === 'number' ? { slowStepSize, ...rest } : { exclude: false, ...rest },
  );
}

interface Subject {
  readonly weights: readonly PlannedWeight[];
  readonly layers: PlannedLayers | null;
  readonly givenActivationBytes: number;
  readonly batchSize: number;
  readonly assumptions: readonly string[];
}

function subjectOf(
  source: Source | undefined,
  settings: LookaheadSettings,
  hints: PlanHints,
): Subject {
  const { activationBytes } = settings;
  const given = settings.batchSize ?? hints.batchSize;
  const batchSize = given ?? DEFAULT_BATCH;
  if (activationBytes === null && isModel(source)) {
    const { weights, layers, assumptions } = readModel(source);
    const guess = given === undefined ? [`a batch of ${batchSize}: give batchSize`] : [];
    return {
      weights,
      layers,
      givenActivationBytes: 0,
      batchSize,
      assumptions: [...assumptions, ...guess],
    };
  }
  const variables = source === undefined ? trainableVariables() : weightsOf(source);
  if (source === undefined && variables.length === 0) throw nothingToPlan();
  const unseen = 'activations are not counted: give activationBytes, or attach(model) first';
  return {
    weights: [...new Set(variables)].map((variable) => ({
      name: variable.name,
      shape: variable.shape,
      elements: variable.size,
      isTrained: variable.trainable,
      variable,
    })),
    layers: null,
    givenActivationBytes: activationBytes ?? 0,
    batchSize,
    assumptions: activationBytes === null ? [unseen] : [],
  };
}

/** Not only something with weights. */
function isModel(source: Source | undefined): source is Source & PlannableModel {
  return source !== undefined && 'layers' in source && 'inputs' in source;
}

function trainableVariables(): tf.Variable[] {
  return allVariables().filter(({ trainable, dtype }) => trainable && dtype === 'float32');
}

/** What the engine keeps to is the limit, if that is less. */
function deviceBudget(vramBudget: number | 'auto'): number {
  const backend = tf.getBackend();
  const limit = engineOf(tf.backend())?.budgetBytes;
  if (limit === undefined && !HOST_BACKENDS.includes(backend)) {
    throw new SlowlaneError(
      'UNSUPPORTED',
      `vramBudget plans for the engine of slowlane/webgpu (startWebGPU), and the backend is '${backend}'. ` +
        `Start the engine, or leave vramBudget out.`,
      { backend },
    );
  }
  if (vramBudget !== 'auto') return Math.min(vramBudget, limit ?? Infinity);
  if (limit !== undefined && limit !== Infinity) return limit;
  throw new SlowlaneError(
    'UNSUPPORTED',
    `vramBudget: 'auto' is the budget of startWebGPU({ vramBudget }), and the backend '${backend}' has none: ` +
      `WebGPU does not report how much memory there is. Give the budget itself: vramBudget: '4GiB'.`,
    { backend },
  );
}

function nothingToPlan(): TypeError {
  return new TypeError(
    'vramBudget plans before the first step, and there is no weight yet. Build the model before it, or await optimizer.attach(weights).',
  );
}

function hasStepped(name: string): SlowlaneError {
  return new SlowlaneError(
    'UNSUPPORTED_INNER',
    `vramBudget decides where the moments of ${name} are, which has some already. Take steps through the Lookahead alone, or leave vramBudget out.`,
    { optimizer: name },
  );
}

function overBudget(plan: Plan): SlowlaneError {
  return new SlowlaneError('OVER_BUDGET', `${describeShortfall(plan)} Nothing was changed.`, {
    plan,
    shortfall: plan.shortfall,
  });
}
