// TensorFlow.js's list of all variables: `registeredVariables` of its engine (tfjs-core 4.22, `engine.js`).

import * as tf from '@tensorflow/tfjs-core';

import { shown } from '../checks/check.js';
import { SlowlaneError } from '../checks/errors.js';

interface EngineParts {
  readonly registeredVariables?: Record<string, tf.Variable>;
}

/** All variables that are not disposed, by name, in the order in which they were made. Live: do not change it. */
export function variablesByName(): Readonly<Record<string, tf.Variable>> {
  const { registeredVariables } = tf.engine() as EngineParts;
  if (registeredVariables !== undefined) return registeredVariables;
  throw new SlowlaneError(
    'UNSUPPORTED',
    `slowlane needs TensorFlow.js 4.22; this is ${tf.version_core}, whose engine has no registeredVariables. ` +
      `Install @tensorflow/tfjs-core@4.22.`,
    { missing: ['registeredVariables'] },
  );
}

/** @throws TypeError unless `weights` is a list of variables. */
export function checkVariables(of: string, weights: unknown): asserts weights is tf.Variable[] {
  if (Array.isArray(weights) && weights.every((weight) => weight instanceof tf.Variable)) return;
  throw new TypeError(`${of}() takes an array of variables, got ${shown(weights)}.`);
}

export function allVariables(): tf.Variable[] {
  return Object.values(variablesByName());
}

/**
 * True if the data of `tensor` is freed. `tf.disposeVariables()` frees variables without marking them: `isDisposed` stays
 * false, and the next operation on one throws a TypeError from the inside of TensorFlow.js.
 */
export function isGone(tensor: tf.Tensor): boolean {
  if (tensor.isDisposed) return true;
  if (!(tensor instanceof tf.Variable)) return false;
  const { registeredVariables } = tf.engine() as EngineParts;
  return registeredVariables !== undefined && registeredVariables[tensor.name] !== tensor;
}
