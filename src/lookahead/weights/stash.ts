// A copy of weights in host memory, to put them back. Each swap makes a new one.

import type * as tf from '@tensorflow/tfjs-core';

import { isGone } from '../../tfjs/variables.js';
import type { Device } from '../../engine/device.js';

export class Stash {
  readonly #values = new Map<tf.Variable, Float32Array>();

  async take(weights: readonly tf.Variable[], device: Device): Promise<void> {
    for (const weight of weights) {
      const values = new Float32Array(weight.size);
      if (weight.size > 0) await device.pull(weight, 0, values);
      this.#values.set(weight, values);
    }
  }

  /** `weight` keeps what it holds. */
  drop(weight: tf.Variable): void {
    this.#values.delete(weight);
  }

  /** May be called again after it failed. */
  async putBack(device: Device): Promise<void> {
    const writer = device.write();
    for (const [weight, values] of this.#values) {
      if (isGone(weight) || weight.size === 0) continue;
      await writer.push(weight, 0, values);
    }
  }
}
