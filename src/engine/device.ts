// Access to fast weights: the contract that the device of every engine keeps.
//
// A device moves elements between a tfjs tensor and host memory, and nothing else. It holds no
// state between syncs. The same contract suite runs against every device.

import type * as tf from '@tensorflow/tfjs-core';

import type { Draw } from '../../workers/codecs/random-bits.js';

export interface Device {
  /**
   * Copies `into.length` elements of `tensor` (float32), from element `start` on, into `into`.
   * Keeps no reference to `into`, which may be a view of shared memory.
   */
  pull(tensor: tf.Tensor, start: number, into: Float32Array): void | Promise<void>;

  /** `pull` is done when it returns. Absent: await it. */
  readonly pullsAtOnce?: true;

  /** Tensors are memory of the host, and are written in place: small transfers stay in the caches of a processor. */
  readonly isHostMemory?: true;

  /**
   * False if an element of `tensor` (float32) is beyond ±`largest`, a finite float32, or a NaN; known when it returns.
   * Absent: tensor operations.
   */
  readonly isWithin?: (tensor: tf.Tensor, largest: number) => boolean;

  /** Begins to replace the values of variables. At most one writer is open at a time. */
  write(): DeviceWriter;

  /** Absent: floats cross the bus, and the host blends. */
  readonly halves?: HalfTransfers;
}

/** A device that blends slow weights of fp16 by itself: halves cross the bus, and the fast weights keep what rounding takes. */
export interface HalfTransfers {
  /**
   * variable ← slow + α(variable − slow), in float32. `slow`: the bits of fp16, one for each element, not in shared
   * memory. If it throws, the variable is as it was.
   */
  blend(variable: tf.Variable, slow: Uint16Array, stepSize: number): void;

  /**
   * Rounds `into.length` elements of `tensor`, none of them beyond ±65504, from element `start` on: up or down, so
   * that the mean is the value itself. The same `draw` and `start` give the same bits.
   */
  pull(tensor: tf.Tensor, start: number, into: Uint16Array, draw: Draw): void;
}

export interface DeviceWriter {
  /**
   * Replaces the elements of `variable` from `start` on by `from`, which is copied before the call
   * returns. The parts of one variable come in order and without gaps, from 0 to its size; the variable
   * has its new value once the last part was given, and until then, or if that never comes, either the old or a partly
   * new one.
   */
  push(variable: tf.Variable, start: number, from: Float32Array): void | Promise<void>;
}
