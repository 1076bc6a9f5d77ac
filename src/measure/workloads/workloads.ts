// What a policy trains, by name. Names only: --help loads no TensorFlow.js.

import type * as tf from '@tensorflow/tfjs-core';

import { MODEL_NAMES } from '../../models/names.js';

/** Dense layers, as large as one wants them, and the models of `slowlane train`. */
export const WORKLOAD_NAMES = ['stack', ...MODEL_NAMES] as const;
export type WorkloadName = (typeof WORKLOAD_NAMES)[number];

export interface Workload {
  readonly weights: tf.Variable[];
  /** Of one batch, which stays on the device. */
  readonly loss: () => tf.Scalar;
  readonly parameters: number;
  /** For Adam. */
  readonly learningRate: number;
}
