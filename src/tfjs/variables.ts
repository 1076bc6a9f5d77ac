// TensorFlow.js's list of all variables: `registeredVariables` of its engine (tfjs-core 4.22, `engine.js`).

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';

/** All variables that are not disposed, by name, in the order in which they were made. Live: do not change it. */
export function variablesByName(): Readonly<Record<string, tf.Variable>> {
  const { registeredVariables } = tf.engine() as {
    registeredVariables?: Record<string, tf.Variable>;
  };
  if (registeredVariables !== undefined) return registeredVariables;
  throw new SlowlaneError(
    'UNSUPPORTED',
    `slowlane needs TensorFlow.js 4.22; this is ${tf.version_core}, whose engine has no registeredVariables. ` +
      `Install @tensorflow/tfjs-core@4.22.`,
    { missing: ['registeredVariables'] },
  );
}

export function allVariables(): tf.Variable[] {
  return Object.values(variablesByName());
}
