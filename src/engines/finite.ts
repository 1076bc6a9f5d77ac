// Are all elements of these tensors finite, and within a limit? By tensor operations, on any backend, before a sync
// changes anything.

import * as tf from '@tensorflow/tfjs-core';

import { largestIn } from '../../workers/codecs/value-format.js';
import { currentDevice } from './current-device.js';

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
  for (const suspect of yield* suspectsIn(tensors)) {
    if (!(yield* isAllFinite(suspect))) return suspect;
  }
  return null;
}

/** The same of all that do. */
export function* allNonFiniteIn<T extends tf.Tensor>(tensors: readonly T[]): Reading<readonly T[]> {
  const bad: T[] = [];
  for (const suspect of yield* suspectsIn(tensors)) {
    if (!(yield* isAllFinite(suspect))) bad.push(suspect);
  }
  return bad;
}

/**
 * Those whose sum is not finite. A NaN or an infinity makes it so; the sum of finite numbers can overflow too, hence the exact
 * look at these.
 */
function* suspectsIn<T extends tf.Tensor>(tensors: readonly T[]): Reading<readonly T[]> {
  if (tensors.length === 0) return [];
  const { isWithin } = currentDevice();
  if (isWithin) return tensors.filter((tensor) => !isWithin(tensor, largestIn('f32')));
  const sums = yield tf.tidy(() => tf.stack(tensors.map((tensor) => tf.sum(tensor))));
  return tensors.filter((_, i) => !Number.isFinite(sums[i]));
}

function* isAllFinite(tensor: tf.Tensor): Reading<boolean> {
  const [allFinite] = yield tf.tidy(() => tf.cast(tf.all(tf.isFinite(tensor)), 'float32'));
  return allFinite === 1;
}

/**
 * For each of `tensors` whether all its elements are within ±`largest`; a NaN is not. Reads one number per
 * tensor from the device at most.
 */
export function* areWithin(
  tensors: readonly tf.Tensor[],
  largest: number,
): Reading<readonly boolean[]> {
  if (tensors.length === 0) return [];
  const { isWithin } = currentDevice();
  if (isWithin) return tensors.map((tensor) => isWithin(tensor, largest));
  const within = (tensor: tf.Tensor) =>
    tf.tidy(() => tf.cast(tf.all(tf.lessEqual(tf.abs(tensor), largest)), 'float32'));
  const answers = yield tf.tidy(() => tf.stack(tensors.map(within)));
  return [...answers].map((answer) => answer === 1);
}
