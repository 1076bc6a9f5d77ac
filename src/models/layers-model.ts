// A tfjs-layers stack as a Model.

import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import type { Batch } from './dataset.js';
import type { Model } from './model.js';

/**
 * Wraps `layers`, which must end in scores for each class. `prepare` turns the inputs of a batch into
 * what the first layer takes. The model owns the layers from now on.
 */
export function layersModel(
  description: string,
  layers: tfl.Sequential,
  prepare: (inputs: tf.Tensor) => tf.Tensor,
): Model {
  return {
    description,
    variables: layers.trainableWeights.map((weight) => asVariable(weight.read())),
    logits(batch: Batch): tf.Tensor2D {
      const scores = layers.apply(prepare(batch.inputs), { training: true }) as tf.Tensor;
      return tf.reshape(scores, [batch.labels.size, scores.shape.at(-1) ?? 0]);
    },
    dispose: () => void layers.dispose(),
  };
}

/** `read()` is declared as a tensor and returns the variable itself. */
function asVariable(weight: tf.Tensor): tf.Variable {
  if (weight instanceof tf.Variable) return weight;
  throw new TypeError(
    `Expected a weight to be a tf.Variable; this version of tfjs-layers is not known.`,
  );
}
