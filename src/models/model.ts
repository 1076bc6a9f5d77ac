// What the training loop needs from a model.

import type * as tf from '@tensorflow/tfjs-core';
import type { Batch } from './dataset.js';

export interface Model {
  /** `784 → 128 → 10, ReLU`: for the report. */
  readonly description: string;
  /** Everything that is trained, in a fixed order. Owned by the model. */
  readonly variables: readonly tf.Variable[];
  /** Scores before softmax: one row per label, [labels, classes]. The caller disposes it or runs it in a tidy. */
  logits(batch: Batch): tf.Tensor2D;
  /** Frees the variables. */
  dispose(): void;
}

/** Number of trained values. */
export function countParameters(model: Model): number {
  return model.variables.reduce((sum, variable) => sum + variable.size, 0);
}
