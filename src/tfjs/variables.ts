// TensorFlow.js's list of all variables: `registeredVariables` of its engine (tfjs-core 4.22, `engine.js`).

import * as tf from '@tensorflow/tfjs-core';

import { checkFunction, shown } from '../checks/check.js';
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

/** `takes` says what `of` allows. @throws TypeError unless `weights` is a list of variables. */
export function checkVariables(
  of: string,
  weights: unknown,
  takes = 'an array of variables',
): asserts weights is tf.Variable[] {
  if (!Array.isArray(weights))
    throw new TypeError(`${of}() takes ${takes}, got ${shown(weights)}.`);
  const bad = Array.from(weights as unknown[]).findIndex(
    (weight) => !(weight instanceof tf.Variable),
  );
  if (bad < 0) return;
  throw new TypeError(`${of}() takes ${takes}; weight ${bad} is ${shownEntry(weights[bad])}.`);
}

/** Checks the arguments of a step; without a list it is for all that can be trained. @throws TypeError. */
export function checkStep(of: string, f: unknown, varList: unknown): void {
  checkFunction(of, f);
  if (varList !== undefined && varList !== null) checkVariables(of, varList);
}

function shownEntry(entry: unknown): string {
  return entry instanceof tf.Tensor ? 'a tensor that is no variable' : shown(entry);
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
