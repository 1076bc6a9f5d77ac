// Lookahead's part in `model.fit` and `model.fitDataset`, which await a callback's hooks.

import { nextFrame } from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

import { nearest, shown } from '../checks/check.js';

export interface FitHooks {
  /** Checks the model and captures its weights before the first step. */
  begin(model: tfl.LayersModel, of: { readonly batchSize?: number | undefined }): Promise<void>;
  /** Does the sync that is due. */
  flush(): Promise<void>;
}

/** Without this `fit` would never let go of the event loop: tfjs yields only for callbacks given as plain objects. */
const YIELD_EVERY_MS = 50;

/**
 * What `callbacks()` gives to `model.fit` and `fitDataset`: awaits transfers after each batch.
 *
 * @hideconstructor
 */
export class FitCallback extends tfl.Callback {
  readonly #hooks: FitHooks;
  #trained: tfl.LayersModel | null = null;
  #yieldedAt = 0;

  constructor(hooks: FitHooks) {
    super();
    this.#hooks = hooks;
    // Behind a callback that is a plain object tfjs takes this one for a plain object too, and calls its
    // methods without `this` (and without setModel).
    this.onTrainBegin = this.onTrainBegin.bind(this);
    this.onBatchEnd = this.onBatchEnd.bind(this);
  }

  /** TensorFlow.js calls it before training with the model that is trained. */
  override setModel(model: tfl.LayersModel): void {
    super.setModel(model);
    this.#trained = model;
  }

  /** Checks the model and captures its weights. */
  override async onTrainBegin(): Promise<void> {
    // No model: see the constructor. The first step then takes the weights.
    if (!this.#trained) return;
    const { batchSize } = this.params as { batchSize?: unknown };
    // Of a dataset it is not known.
    await this.#hooks.begin(this.#trained, typeof batchSize === 'number' ? { batchSize } : {});
  }

  /** Awaits the sync or the transfers of the step, and lets the event loop run at times. */
  override async onBatchEnd(): Promise<void> {
    await this.#hooks.flush();
    if (performance.now() - this.#yieldedAt < YIELD_EVERY_MS) return;
    await nextFrame();
    this.#yieldedAt = performance.now();
  }
}

/** Another callback of a training: an instance, or an object with hooks such as `onEpochEnd`. */
export type GivenCallback = tfl.Callback | tfl.CustomCallback | tfl.CustomCallbackArgs;

/** What `fit` and `fitDataset` take: instances alone, because TensorFlow.js cannot mix them with objects of hooks. */
export type FitCallbacks = (FitCallback | tfl.Callback | tfl.CustomCallback)[];

/**
 * `own`, and behind it `more`.
 * @throws TypeError unless each is a callback, and TensorFlow.js knows all its hooks.
 */
export function fitCallbacks(own: FitHooks, more: readonly GivenCallback[]): FitCallbacks {
  return [new FitCallback(own), ...more.map(instanceOf)];
}

const HOOKS = [
  'onTrainBegin',
  'onTrainEnd',
  'onEpochBegin',
  'onEpochEnd',
  'onBatchBegin',
  'onBatchEnd',
  'onYield',
] as const;
const FUNCTIONS: readonly string[] = [...HOOKS, 'nowFunc', 'nextFrameFunc'];

function instanceOf(given: GivenCallback): tfl.Callback | tfl.CustomCallback {
  // Not by class: another copy of tfjs-layers has another one.
  if (isObject(given) && 'setParams' in given) return given;
  if (!isObject(given) || Array.isArray(given) || !HOOKS.some((hook) => hook in given)) {
    throw new TypeError(
      `callbacks() takes callbacks, each a tf.Callback or an object with ${HOOKS.join(', ')}; got ${shown(given)}.`,
    );
  }
  for (const key of Object.keys(given)) {
    if (!/^on[A-Z]/.test(key) || FUNCTIONS.includes(key)) continue;
    const near = nearest(key, HOOKS);
    const hint = near === undefined ? '' : ` Did you mean '${near}'?`;
    throw new TypeError(`callbacks(): there is no hook '${key}'.${hint}`);
  }
  return new tfl.CustomCallback(boundTo(given));
}

/** TensorFlow.js calls the hooks without the object that they belong to. */
function boundTo(given: object): tfl.CustomCallbackArgs {
  const named = FUNCTIONS.map((name) => [name, Reflect.get(given, name) as unknown] as const);
  const bound = named.flatMap(([name, hook]) => {
    if (hook === undefined || hook === null) return [];
    if (typeof hook === 'function') return [[name, hook.bind(given) as unknown] as const];
    throw new TypeError(`callbacks(): ${name} must be a function, got ${shown(hook)}.`);
  });
  return Object.fromEntries(bound);
}

function isObject(given: unknown): given is object {
  return typeof given === 'object' && given !== null;
}
