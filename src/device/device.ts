// Where fast weights live: the contract that every engine's adapter keeps.
//
// An adapter moves elements between a tfjs tensor and host memory, and nothing else. It holds no
// state between syncs. The same contract suite runs against every adapter.

import type * as tf from '@tensorflow/tfjs-core';

export interface Device {
  /** The tfjs backend's name. */
  readonly name: string;

  /**
   * Copies `into.length` elements of `tensor` (float32), from element `start` on, into `into`.
   * Keeps no reference to `into`, which may be a view of shared memory.
   */
  pull(tensor: tf.Tensor, start: number, into: Float32Array): void | Promise<void>;

  /** Begins to replace the values of variables. At most one writer is open at a time. */
  write(): DeviceWriter;
}

export interface DeviceWriter {
  /**
   * Replaces the elements of `variable` from `start` on by `from`, which is copied before the call
   * returns. The parts of one variable come in order and without gaps, from 0 to its size; the variable
   * has its new value once the last part was given, and until then either the old or a partly new one.
   */
  push(variable: tf.Variable, start: number, from: Float32Array): void | Promise<void>;

  /** Frees what was made for variables whose last part did not come. Their values stay as they are. */
  close(): void;
}
