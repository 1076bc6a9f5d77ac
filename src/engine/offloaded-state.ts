// Moments in host memory between steps: the contract.
//
// A step uploads the moments of each weight just before the update and downloads them right after. They are away
// until the download has arrived, which takes turns of the event loop.

import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';

/** Of one optimizer. */
export interface OffloadedState {
  /** Host memory for a tensor of zeros, float32 or int32. Throws OUT_OF_MEMORY if there is none. */
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

/** Of a `call` that needs moments before `wait` was awaited. */
export function momentsAway(call: string, wait: string): SlowlaneError {
  return new SlowlaneError(
    'OFFLOAD_PENDING',
    `${call}() was called while moments of the last step are on their way back to host memory. Await ${wait} ` +
      `after each step; with model.fit(), pass callbacks: optimizer.callbacks().`,
  );
}
