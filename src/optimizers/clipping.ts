/** Gradient clipping: element by element, or by the global norm of all gradients of a step. */
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber, shown } from '../options.js';

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

/** Clips the gradients of one step, one at a time. */
export interface Clipper {
  /** A new tensor, the caller's; or null where nothing has to be clipped. */
  clip(gradient: tf.Tensor): tf.Tensor | null;
  dispose(): void;
}

/** Looks at all gradients of the step, on the device: nothing is read back. Keeps none of them. */
export function clipperFor(clipping: Clipping, gradients: readonly tf.Tensor[]): Clipper {
  switch (clipping.by) {
    case 'nothing':
      return { clip: () => null, dispose: () => undefined };
    case 'value': {
      const { limit } = clipping;
      return { clip: (g) => tf.clipByValue(g, -limit, limit), dispose: () => undefined };
    }
    case 'norm': {
      const scale = normScale(gradients, clipping.limit);
      return { clip: (g) => tf.mul(g, scale), dispose: () => scale.dispose() };
    }
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
