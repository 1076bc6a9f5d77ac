// Moments in host memory between steps: the contract.
//
// A step uploads the moments of each weight just before the update and downloads them right after. They are away
// until the download has arrived, which takes turns of the event loop.

import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';

/** Host memory for the moments of one optimizer. */
export interface OffloadedState {
  /** Host memory for a tensor of zeros, float32 or int32. Throws OUT_OF_MEMORY if there is none. */
  hold(shape: readonly number[], dtype: 'float32' | 'int32'): OffloadedTensor;
  /** True while a download has not arrived. */
  readonly isPending: boolean;
  /** Submits the downloads of a step. Call it when the step ends. */
  startDownloads(): void;
  /** Resolves when all downloads have arrived. Rejects once if the device failed: moments are as before that step. */
  flush(): Promise<void>;
  /** Call it before its tensors are disposed. */
  dispose(): void;
}

/** One tensor in host memory. Call all but `download` only while no upload or download is under way. */
export interface OffloadedTensor {
  /** Copies the values into a variable on the device, which `download` disposes. If it throws, nothing has changed. */
  upload(name: string): tf.Variable;
  /** Copies the variable's values back and disposes it; without an upload it does nothing. */
  download(): void;
  /** The values, for the moment only. */
  read(): Float32Array | Int32Array;
  write(values: Float32Array | Int32Array): void;
  /** Of float32 values: where the first NaN or infinity is, or −1. The event loop has its turns meanwhile. */
  firstNonFinite(): Promise<number>;
  dispose(): void;
}

/** The error of a `call` that needs the moments before `wait` was awaited. */
export function offloadPending(call: string, wait: string): SlowlaneError {
  return new SlowlaneError(
    'OFFLOAD_PENDING',
    `${call}() was called while moments of the last step are on their way back to host memory. Await ${wait} ` +
      `after each step; with model.fit(), pass callbacks: optimizer.callbacks().`,
  );
}
