// Buffers of one engine are of no use to another backend.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';
import type { BudgetedBackend } from './budgeted-backend.js';

interface Belongings {
  /** Their name in the error message. */
  readonly what: string;
  /** When they were made. */
  readonly since: string;
  /** The kind of object that a saved state can be loaded into. */
  readonly owner: string;
}

/** Throws WRONG_STATE if another backend is the current one, and the loss of the device if it is lost. */
export function checkCurrent(backend: BudgetedBackend, { what, since, owner }: Belongings): void {
  backend.errors.throwIfLost();
  if (tf.backend() === backend) return;
  throw new SlowlaneError(
    'WRONG_STATE',
    `The ${what} are with the WebGPU engine that was the backend when ${since}, and the backend now is '${tf.getBackend()}'. Go back with tf.setBackend, or save the state and load it into a new ${owner}.`,
    { backend: tf.getBackend() },
  );
}
