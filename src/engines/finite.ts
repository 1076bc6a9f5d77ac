// Are all elements of these tensors finite, and within a limit? By tensor operations, on any backend, before a sync
// changes anything.

import * as tf from '@tensorflow/tfjs-core';

/**
 * Resolves to the first of `tensors` that holds a NaN or an infinity, or null. Reads one number per
 * tensor from the device and makes no temporary of a tensor's size in the usual case.
 */
export async function firstNonFinite<T extends tf.Tensor>(
  tensors: readonly T[],
): Promise<T | null> {
  if (tensors.length === 0) return null;
  // A NaN or an infinity makes the sum non-finite. The sum of finite numbers can overflow too, hence
  // the exact look at those that stand out.
  const sums = tf.tidy(() => tf.stack(tensors.map((tensor) => tf.sum(tensor))));
  const values = await read(sums);
  for (const [i, tensor] of tensors.entries()) {
    if (Number.isFinite(values[i])) continue;
    const exact = tf.tidy(() => tf.cast(tf.all(tf.isFinite(tensor)), 'float32'));
    const [allFinite] = await read(exact);
    if (allFinite !== 1) return tensor;
  }
  return null;
}

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
  const answers = await read(tf.tidy(() => tf.stack(tensors.map(within))));
  return [...answers].map((answer) => answer === 1);
}

async function read(tensor: tf.Tensor): Promise<Float32Array> {
  try {
    return await tensor.data<'float32'>();
  } finally {
    tensor.dispose();
  }
}
