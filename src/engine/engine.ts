// What a tfjs backend can do for this library: one contract, and who keeps it for which backend.
//
// A function that starts an engine registers it. A backend without one is used through its public operations
// alone (`engines/current-device.ts` knows those that compute on the CPU).

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import { updateWithTensors } from '../formula/tensor-algebra.js';
import type { Updater, WeightUpdate } from '../formula/weight-update.js';
import type { SlowStore, Storable, StoreClock } from '../slow/slow-store.js';
import type { Device } from './device.js';
import type { MeterSink, MeterSource } from './meter-source.js';
import type { OffloadedState } from './offloaded-state.js';
import { countWrite } from './writes.js';

export interface Engine {
  /** Moves weights between the device and the host. */
  readonly device: Device;
  /** Updates one weight. Absent: the update runs as tensor operations. */
  readonly update?: Updater;
  /** Makes the store of slow weights. Absent: the host stores and blends them. */
  readonly slowStore?: <W extends Storable>(options: StoreOptions) => SlowStore<W>;
  /** Makes host memory for the moments of one optimizer. Absent: moments stay on the device. */
  readonly offloadedState?: () => OffloadedState;
  /** Begins to report the allocator's events to `sink`. Absent: tfjs's count of tensors is read once a step. */
  readonly meter?: (sink: MeterSink) => MeterSource;
  /** Bytes that the backend may allocate; Infinity for no limit. Absent: it does not count them. */
  readonly budgetBytes?: number;
  /** The DEVICE_LOST of a device that is gone, with every tensor on it; null while it is there. Absent: not known. */
  readonly lost?: () => SlowlaneError | null;
}

export interface StoreOptions {
  /** Bytes that move at a time, at most. */
  readonly chunkBytes: number;
  readonly clock: StoreClock;
}

const engines = new WeakMap<tf.KernelBackend, Engine>();

/** From now on `engine` does the work while `backend` is the current one; it replaces an earlier engine. */
export function registerEngine(backend: tf.KernelBackend, engine: Engine): void {
  engines.set(backend, engine);
}

/** From now on `backend` is used through its public operations alone. */
export function unregisterEngine(backend: tf.KernelBackend): void {
  engines.delete(backend);
}

export function engineOf(backend: tf.KernelBackend): Engine | undefined {
  return engines.get(backend);
}

/**
 * Updates one weight on the current backend: in place if its engine can, else as tensor operations.
 *
 * @throws SlowlaneError DEVICE_LOST: recording commands for a lost device fails in silence.
 */
export function updateWeight(update: WeightUpdate): void {
  const engine = engineOf(tf.backend());
  const lost = engine?.lost?.();
  if (lost) throw lost;
  const run = engine?.update ?? updateWithTensors;
  try {
    run(update);
  } finally {
    countWrite(update.weight);
  }
}

/**
 * Host memory for the moments of one optimizer on the current backend; null if all of its memory is host memory.
 *
 * @throws SlowlaneError UNSUPPORTED if the backend can keep moments on the device only.
 */
export function makeOffloadedState(): OffloadedState | null {
  const make = engineOf(tf.backend())?.offloadedState;
  if (make !== undefined) return make();
  const backend = tf.getBackend();
  if (backend === 'cpu' || backend === 'wasm') return null;
  throw new SlowlaneError(
    'UNSUPPORTED',
    `moments on the host need the engine of slowlane/webgpu (startWebGPU); the backend is '${backend}'. ` +
      `Use moments: 'device:f32' or 'device:q8'.`,
    { backend },
  );
}
