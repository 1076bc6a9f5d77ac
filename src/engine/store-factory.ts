// Who keeps slow weights for which backend. A backend whose device can blend registers its own kind of
// store (this layer knows no devices); for every other one they are kept and blended on the host.

import type * as tf from '@tensorflow/tfjs-core';

import type { SlowFormat } from '../slow/slow-format.js';
import type { SlowStore, Storable, StoreClock } from '../slow/slow-store.js';

export interface StoreOptions {
  readonly format: SlowFormat;
  /** Bytes that move at a time, at most. */
  readonly chunkBytes: number;
  readonly clock: StoreClock;
}

export type StoreFactory = <W extends Storable>(options: StoreOptions) => SlowStore<W>;

const registered = new WeakMap<tf.KernelBackend, StoreFactory>();

/** From now on, slow weights that are made while `backend` is the current one are kept by `factory`'s store. */
export function registerStoreFactory(backend: tf.KernelBackend, factory: StoreFactory): void {
  registered.set(backend, factory);
}

export function storeFactoryOf(backend: tf.KernelBackend): StoreFactory | undefined {
  return registered.get(backend);
}
