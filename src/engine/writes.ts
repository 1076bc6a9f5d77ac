// Counts our writes to each variable. An engine may update a weight in place: its data stays the same object, so whoever
// wants to know whether a weight has changed compares both.

import type * as tf from '@tensorflow/tfjs-core';

const writes = new WeakMap<tf.Variable, number>();

/** Call it after each write of ours that may have been in place. */
export function countWrite(variable: tf.Variable): void {
  writes.set(variable, writesTo(variable) + 1);
}

export function writesTo(variable: tf.Variable): number {
  return writes.get(variable) ?? 0;
}
