/**
 * Who carries updates out on which backend. A backend that can write in place registers its own way
 * (this layer knows no devices); every other one gets plain tensor operations.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { updateWithTensors } from '../formula/tensor-algebra.js';
import type { Updater } from '../formula/weight-update.js';

const registered = new WeakMap<tf.KernelBackend, Updater>();

/** From the next step on, weights are updated by `updater` while `backend` is the current one. */
export function registerUpdater(backend: tf.KernelBackend, updater: Updater): void {
  registered.set(backend, updater);
}

/** Back to plain tensor operations. */
export function unregisterUpdater(backend: tf.KernelBackend): void {
  registered.delete(backend);
}

export function updaterFor(backend: tf.KernelBackend): Updater {
  return registered.get(backend) ?? updateWithTensors;
}
