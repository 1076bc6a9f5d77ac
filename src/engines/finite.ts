// Are all elements of these tensors finite, and within a limit? By tensor operations, on any backend, before a sync
// changes anything.

import * as tf from '@tensorflow/tfjs-core';

/**
 * Work that reads from the device: it yields a tensor, gives it away with that, and is resumed with its values. Written
 * once for those who wait (`awaited`) and those who cannot (`atOnce`).
 */
export type Reading<R> = Generator<tf.Tensor, R, Float32Array>;

export async function awaited<R>(reading: Reading<R>): Promise<R> {
  let next = reading.next();
  while (next.done !== true) {
    const tensor = next.value;
    try {
      next = reading.next(await tensor.data<'float32'>());
    } finally {
      tensor.dispose();
    }
  }
  return next.value;
}

/** For a backend that can be read without waiting. */
export function atOnce<R>(reading: Reading<R>): R {
  let next = reading.next();
  while (next.done !== true) {
    const tensor = next.value;
    try {
      next = reading.next(tensor.dataSync<'float32'>());
    } finally {
      tensor.dispose();
    }
  }
  return next.value;
}

/** Resolves to what `nonFiniteIn` finds. */
export function firstNonFinite<T extends tf.Tensor>(tensors: readonly T[]): Promise<T | null> {
  return awaited(nonFiniteIn(tensors));
}

/**
 * Returns the first of `tensors` that holds a NaN or an infinity, or null. Reads one number per
 * tensor from the device and makes no temporary of a tensor's size in the usual case.
 */
export function* nonFiniteIn<T extends tf.Tensor>(tensors: readonly T[]): Reading<T | null> {
  if (tensors.length === 0) return null;
  // A NaN or an infinity makes the sum non-finite. The sum of finite numbers can overflow too, hence
  // the exact look at those that stand out.
  const sums = tf.tidy(() => tf.stack(tensors.map((tensor) => tf.sum(tensor))));
  const values = yield sums;
  for (const [i, tensor] of tensors.entries()) {
    if (Number.isFinite(values[i])) continue;
    const exact = tf.tidy(() => tf.cast(tf.all(tf.isFinite(tensor)), 'float32'));
    const [allFinite] = yield exact;
    if (allFinite !== 1) return tensor;
  }
  return null;
}

/** Returns all of `tensors` that hold a NaN or an infinity: few, as a rule. */
export function* allNonFiniteIn<T extends tf.Tensor>(tensors: readonly T[]): Reading<readonly T[]> {
  const bad: T[] = [];
  for (;;) {
    const found = yield* nonFiniteIn(tensors.filter((tensor) => !bad.includes(tensor)));
    if (found === null) return bad;
    bad.push(found);
  }
}

/**
 * For each of `tensors` whether all its elements are within ±`largest`; a NaN is not. Reads one number per
 * tensor from the device.
 */
export function* areWithin(
  tensors: readonly tf.Tensor[],
  largest: number,
): Reading<readonly boolean[]> {
  if (tensors.length === 0) return [];
  const within = (tensor: tf.Tensor) =>
    tf.tidy(() => tf.cast(tf.all(tf.lessEqual(tf.abs(tensor), largest)), 'float32'));
  const answers = yield tf.tidy(() => tf.stack(tensors.map(within)));
  return [...answers].map((answer) => answer === 1);
}
