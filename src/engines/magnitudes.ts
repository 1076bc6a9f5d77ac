// Which tensors have a place in a format with a limit? Plain tensor operations, on any backend.

import * as tf from '@tensorflow/tfjs-core';

/**
 * For each of `tensors` whether all its elements are within ±`largest`; a NaN is not. Reads one number per
 * tensor from the device.
 */
export async function areWithin(
  tensors: readonly tf.Tensor[],
  largest: number,
): Promise<readonly boolean[]> {
  if (tensors.length === 0) return [];
  const within = (tensor: tf.Tensor) =>
    tf.tidy(() => tf.cast(tf.all(tf.lessEqual(tf.abs(tensor), largest)), 'float32'));
  const answers = tf.tidy(() => tf.stack(tensors.map(within)));
  try {
    return [...(await answers.data())].map((answer) => answer === 1);
  } finally {
    answers.dispose();
  }
}
