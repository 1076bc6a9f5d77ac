// Which weights are frozen: a variable says so, or a model. What a model has said outlives a load: the layers stay frozen.

import type * as tf from '@tensorflow/tfjs-core';

import { isGone } from '../../tfjs/variables.js';

export class Frozen {
  /** Weights that a model does not train, although the variables themselves say they are trainable. */
  #byModel: ReadonlySet<tf.Variable> = new Set();

  /** Frozen weights are not moved. */
  has(weight: tf.Variable): boolean {
    return !weight.trainable || this.#byModel.has(weight);
  }

  /**
   * Of a model's weights, `trained` are trained. TensorFlow.js does not always tell the variables that their layer is
   * frozen: not in a model inside a model inside a model, and `compile` of a Sequential marks all as trainable again.
   */
  freezeOthers(all: readonly tf.Variable[], trained: readonly tf.Variable[]): void {
    const kept = new Set(trained);
    const isHidden = (weight: tf.Variable) => weight.trainable && !kept.has(weight);
    const other = new Set(all);
    const before = [...this.#byModel].filter((weight) => !other.has(weight) && !isGone(weight));
    this.#byModel = new Set([...before, ...all.filter(isHidden)]);
  }
}
