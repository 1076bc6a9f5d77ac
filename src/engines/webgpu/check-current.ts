// What is with one engine is of no use to another.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';
import type { BudgetedBackend } from './budgeted-backend.js';

interface Belongings {
  /** What is with the engine. */
  readonly what: string;
  /** When it was put there. */
  readonly since: string;
  /** What a saved state of it can be loaded into. */
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
