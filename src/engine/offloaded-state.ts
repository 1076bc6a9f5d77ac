/**
 * Where moments wait between steps when they are not to stay on the device: the contract, and who offers it
 * on which backend (this layer knows no devices).
 *
 * A step lends each weight its moments just before they are needed and takes them back right after. They are
 * away until the device has given them back, which takes turns of the event loop.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../checks/errors.js';

/** Of one optimizer. */
export interface OffloadedState {
  /** Host memory for a tensor of zeros, float32 or int32. Throws ENGINE if there is none. */
  hold(shape: readonly number[], dtype: 'float32' | 'int32'): OffloadedTensor;
  /** True if something that was lent is not back yet. */
  readonly isPending: boolean;
  /** At the end of a step: what was taken back since the last time sets out. */
  turn(): void;
  /** Resolves when nothing is away. Rejects once if the device failed: it has the moments of before that step. */
  flush(): Promise<void>;
  /** Before what it holds is disposed. */
  dispose(): void;
}

/** One tensor at home. All but `takeBack` only while it is here. */
export interface OffloadedTensor {
  /** A variable on the device with its values; `takeBack` disposes it. If it throws, nothing has changed. */
  lend(name: string): tf.Variable;
  takeBack(): void;
  /** The values, for the moment only. */
  read(): Float32Array | Int32Array;
  write(values: Float32Array | Int32Array): void;
  dispose(): void;
}

const registered = new WeakMap<tf.KernelBackend, () => OffloadedState>();

/** Optimizers with moments on the host keep them there while `backend` is the current one. */
export function registerOffloadedState(
  backend: tf.KernelBackend,
  make: () => OffloadedState,
): void {
  registered.set(backend, make);
}

/**
 * A home on the current backend; null if all of its memory is host memory.
 *
 * @throws SlowlaneError ENGINE if it can keep moments on the device only.
 */
export function makeOffloadedState(): OffloadedState | null {
  const make = registered.get(tf.backend());
  if (make !== undefined) return make();
  const backend = tf.getBackend();
  if (backend === 'cpu' || backend === 'wasm') return null;
  throw new SlowlaneError(
    'ENGINE',
    `moments on the host need the engine of slowlane/webgpu (startWebGPU); the backend is '${backend}'. ` +
      `Use moments: 'device:f32' or 'device:q8'.`,
    { backend },
  );
}

/** Of a `call` that needs moments before `wait` was awaited. */
export function momentsAway(call: string, wait: string): SlowlaneError {
  return new SlowlaneError(
    'OFFLOAD_PENDING',
    `${call}() was called while moments of the last step are on their way back to host memory. Await ${wait} ` +
      `after each step; with model.fit(), pass callbacks: optimizer.callbacks().`,
  );
}
