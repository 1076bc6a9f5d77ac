import * as tf from '@tensorflow/tfjs-core';

import { shown } from '../checks/check.js';
import { SlowlaneError } from '../checks/errors.js';

/** An entry of an optimizer's `getWeights()`; tfjs has the type but does not export it. */
export interface NamedTensor {
  /** The variable's name. */
  name: string;
  /** The values. */
  tensor: tf.Tensor;
}

/**
 * Second handles, which the caller disposes. They share the data; tensors never change, so that is a copy, also if the
 * originals are disposed.
 */
export function copiesOf(tensors: readonly NamedTensor[]): NamedTensor[] {
  return tensors.map(({ name, tensor }) => ({ name, tensor: tf.keep(tensor.clone()) }));
}

/** @throws SlowlaneError STATE_MISMATCH unless `tensors` is a list of named tensors. */
export function checkNamedTensors(of: string, tensors: unknown): void {
  if (!Array.isArray(tensors)) throw noState(of, `got ${shown(tensors)}`);
  for (const [i, entry] of Array.from(tensors as unknown[]).entries()) {
    const { name, tensor } = (entry ?? {}) as Partial<Record<string, unknown>>;
    if (typeof name === 'string' && tensor instanceof tf.Tensor) continue;
    throw noState(of, `entry ${i} is no { name, tensor }: ${shown(entry)}`);
  }
}

function noState(of: string, what: string): SlowlaneError {
  const message = `${of}() takes the array that getWeights() gave; ${what}.`;
  return new SlowlaneError('STATE_MISMATCH', message);
}
