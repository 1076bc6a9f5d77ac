// Lookahead's part in `model.fit` and `model.fitDataset`, which await a callback's hooks.

import { nextFrame } from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

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
    // No model: see the constructor. The first step then keeps handles on the weights.
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
