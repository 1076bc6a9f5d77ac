/** Gradient clipping: element by element, or by the global norm of all gradients of a step. */
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber, shown } from '../checks/check.js';

export type Clipping =
  | { readonly by: 'nothing' }
  | { readonly by: 'value'; readonly limit: number }
  | { readonly by: 'norm'; readonly limit: number };

export function checkClipping(clipValue: unknown, clipNorm: unknown): Clipping {
  if (clipValue !== undefined && clipNorm !== undefined) {
    throw new TypeError(
      `Give clipValue or clipNorm, not both: got clipValue ${shown(clipValue)} and clipNorm ${shown(clipNorm)}.`,
    );
  }
  if (clipValue !== undefined) {
    return { by: 'value', limit: checkNumber('clipValue', clipValue, { above: 0 }) };
  }
  if (clipNorm !== undefined) {
    return { by: 'norm', limit: checkNumber('clipNorm', clipNorm, { above: 0 }) };
  }
  return { by: 'nothing' };
}

/** How one step clips each of its gradients. */
export type Clip =
  | { readonly by: 'nothing' }
  | { readonly by: 'value'; readonly limit: number }
  /** Multiplies by a number that only the device knows. */
  | { readonly by: 'scale'; readonly scale: tf.Scalar };

/**
 * For all gradients of a step. Computes on the device and reads nothing back; keeps no gradient. Pass the result to
 * `disposeClip` after the step.
 */
export function clipFor(clipping: Clipping, gradients: readonly tf.Tensor[]): Clip {
  if (clipping.by !== 'norm') return clipping;
  return { by: 'scale', scale: normScale(gradients, clipping.limit) };
}

export function disposeClip(clip: Clip): void {
  if (clip.by === 'scale') clip.scale.dispose();
}

/** A new tensor, the caller's; null if the step does not clip. */
export function clipGradient(gradient: tf.Tensor, clip: Clip): tf.Tensor | null {
  switch (clip.by) {
    case 'nothing':
      return null;
    case 'value':
      return tf.clipByValue(gradient, -clip.limit, clip.limit);
    case 'scale':
      return tf.mul(gradient, clip.scale);
  }
}

/** limit / max(norm, limit): exactly 1 where the norm is within the limit. */
function normScale(gradients: readonly tf.Tensor[], limit: number): tf.Scalar {
  return tf.tidy(() => {
    let sum: tf.Tensor = tf.scalar(0);
    for (const gradient of gradients) {
      sum = tf.add(
        sum,
        tf.tidy(() => tf.sum(tf.square(gradient))),
      );
    }
    const bound = tf.scalar(limit);
    return tf.div<tf.Scalar>(bound, tf.maximum(tf.sqrt(sum), bound));
  });
}
