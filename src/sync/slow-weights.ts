// The slow weights of one Lookahead: which variables, where in the store, and the moves between the
// store and the device. Knows nothing of steps and of when to sync.

import type * as tf from '@tensorflow/tfjs-core';

import type { Device } from '../device/device.js';
import { currentDevice } from '../device/pick.js';
import {
  HostStore,
  type HostStoreOptions,
  type StoredChunk,
  weightOf,
} from '../slow/host-store.js';
import { push } from './sync.js';
import type { Tracked } from './tracked.js';

type Chunks = readonly StoredChunk<Tracked>[];

export class SlowWeights {
  readonly #store: HostStore<Tracked>;
  readonly #tracked = new Map<tf.Variable, Tracked>();

  constructor(options: HostStoreOptions) {
    this.#store = new HostStore(options);
  }

  /** All that is tracked, in the order in which it was added. */
  get tracked(): readonly Tracked[] {
    return [...this.#tracked.values()];
  }

  get bytes(): { readonly slow: number; readonly staging: number } {
    return this.#store.bytes;
  }

  get(variable: tf.Variable): Tracked | undefined {
    return this.#tracked.get(variable);
  }

  /** Makes room for `added`. Their slow values are zero until `capture` or `write`. */
  add(added: readonly Tracked[]): void {
    for (const period of new Set(added.map(({ syncPeriod }) => syncPeriod))) {
      const group = added.filter(({ syncPeriod }) => syncPeriod === period);
      this.#store.add(group); // throws if there is no memory: before they count as tracked
      for (const tracked of group) this.#tracked.set(tracked.variable, tracked);
    }
  }

  /** Lets go of variables that are gone, and of chunks that hold nothing else. */
  prune(): void {
    for (const [variable] of this.#tracked) if (variable.isDisposed) this.#tracked.delete(variable);
    this.#store.prune(({ variable }) => !variable.isDisposed);
  }

  /** The chunks that a sync of these periods is about, in layout order. */
  chunksOf(periods: readonly number[]): Chunks {
    return this.#store.chunks.filter(({ chunk, weights }) => {
      const [first] = chunk.parts;
      return first !== undefined && periods.includes(weightOf(weights, first.weight).syncPeriod);
    });
  }

  /** Slow := the values of `source`, for the variables that it holds (variable → tensor of its shape). */
  async capture(source: ReadonlyMap<tf.Variable, tf.Tensor>): Promise<void> {
    const device = currentDevice();
    for (const { segment, chunk, weights } of this.#store.chunks) {
      for (const { weight, start, length, offset } of chunk.parts) {
        const tensor = source.get(weightOf(weights, weight).variable);
        if (!tensor || tensor.isDisposed) continue; // disposed: its model is gone
        await device.pull(tensor, start, segment.slow(chunk).subarray(offset, offset + length));
      }
    }
  }

  /** Fast := slow for what `isMeant`. May be called again after it failed. */
  async restore(isMeant: (tracked: Tracked) => boolean): Promise<void> {
    const writer = currentDevice().write();
    try {
      for (const stored of this.#store.chunks) {
        await push(stored, stored.segment.slow(stored.chunk), writer, isMeant);
      }
    } finally {
      writer.close();
    }
  }

  /** A copy of the slow values. */
  read(tracked: Tracked): Float32Array {
    return this.#store.read(tracked);
  }

  write(tracked: Tracked, values: Float32Array): void {
    this.#store.write(tracked, values);
  }
}

/** A copy of the weights in host memory, to put them back. Made anew for each swap. */
export class Stash {
  readonly #values = new Map<tf.Variable, Float32Array>();

  async take(weights: readonly tf.Variable[], device: Device): Promise<void> {
    for (const weight of weights) {
      const values = new Float32Array(weight.size);
      if (weight.size > 0) await device.pull(weight, 0, values);
      this.#values.set(weight, values);
    }
  }

  /** May be called again after it failed. */
  async putBack(device: Device): Promise<void> {
    const writer = device.write();
    try {
      for (const [weight, values] of this.#values) {
        if (weight.isDisposed || weight.size === 0) continue;
        await writer.push(weight, 0, values);
      }
    } finally {
      writer.close();
    }
  }
}
