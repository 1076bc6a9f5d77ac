// Lookahead around any optimizer, in plain numbers, as one would write it for a backend that can be read synchronously.
// Slow, obvious, and sharing no line with src/.

import * as tf from '@tensorflow/tfjs-core';

import type { Gradients } from 'slowlane';

export class PlainSync extends tf.Optimizer {
  static readonly className = 'PlainSync';
  readonly #inner: tf.Optimizer;
  readonly #syncPeriod: number;
  readonly #slowStepSize: number;
  readonly #slow = new Map<tf.Variable, Float32Array>();
  #stepsInCycle = 0;

  constructor(inner: tf.Optimizer, { syncPeriod = 5, slowStepSize = 0.5 } = {}) {
    super();
    this.#inner = inner;
    this.#syncPeriod = syncPeriod;
    this.#slowStepSize = slowStepSize;
  }

  override minimize(...args: Parameters<tf.Optimizer['minimize']>): tf.Scalar | null {
    this.sync();
    return super.minimize(...args);
  }

  override applyGradients(gradients: Gradients): void {
    const isList = Array.isArray(gradients);
    const names = isList ? gradients.map(({ name }) => name) : Object.keys(gradients);
    for (const name of names) {
      const weight = tf.engine().registeredVariables[name];
      if (weight?.trainable !== true || this.#slow.has(weight)) continue;
      this.#slow.set(weight, Float32Array.from(weight.dataSync()));
    }
    this.#inner.applyGradients(gradients as tf.NamedTensorMap);
    this.#stepsInCycle++;
  }

  /** The sync that is due. A program of its own loop asks for it after each step. */
  sync(): void {
    if (this.#stepsInCycle >= this.#syncPeriod) this.#sync();
  }

  finish(): void {
    if (this.#stepsInCycle > 0) this.#sync(); // the last steps count, too
    this.#showSlow();
  }

  #sync(): void {
    for (const [weight, slow] of this.#slow) {
      weight.dataSync().forEach((fast, i) => {
        slow[i]! += this.#slowStepSize * (fast - slow[i]!);
      });
    }
    this.#showSlow();
  }

  #showSlow(): void {
    this.#stepsInCycle = 0;
    for (const [weight, slow] of this.#slow) {
      tf.tidy(() => weight.assign(tf.tensor(slow.slice(), weight.shape)));
    }
  }

  override getConfig(): tf.serialization.ConfigDict {
    return {};
  }
}
