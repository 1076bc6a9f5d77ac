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

/** What a variable holds: the same as long as nobody has written it. */
export interface Contents {
  readonly dataId: object;
  readonly writes: number;
}

export function contentsOf(variable: tf.Variable): Contents {
  return { dataId: variable.dataId, writes: writesTo(variable) };
}

export function stillHolds(variable: tf.Variable, { dataId, writes }: Contents): boolean {
  return variable.dataId === dataId && writesTo(variable) === writes;
}
