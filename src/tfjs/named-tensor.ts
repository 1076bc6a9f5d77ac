import type * as tf from '@tensorflow/tfjs-core';

/** An entry of an optimizer's `getWeights()`; tfjs has the type but does not export it. */
export interface NamedTensor {
  /** The variable's name. */
  name: string;
  /** The values. */
  tensor: tf.Tensor;
}
