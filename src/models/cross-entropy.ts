// The loss of every model here, and the accuracy that goes with it.

import { setImmediate as nextTurn } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { type Batch, disposeBatch } from './dataset.js';
import type { Model } from './model.js';

/** Mean over the labels of −log softmax(logits)[label], in nats. */
export function meanCrossEntropy(model: Model, batch: Batch): tf.Scalar {
  return tf.div(summedCrossEntropy(model.logits(batch), batch), batch.labels.size);
}

export interface Evaluation {
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  /** Share of labels whose class got the highest score, 0 to 1. */
  readonly accuracy: number;
}

/** Evaluates the current weights on `batches`, and disposes each batch. Throws the reason when aborted. */
export async function evaluate(
  model: Model,
  batches: Iterable<Batch>,
  signal?: AbortSignal,
): Promise<Evaluation> {
  let lossSum = 0;
  let hits = 0;
  let labels = 0;
  for (const batch of batches) {
    const sums = tf.tidy(() => {
      const logits = model.logits(batch);
      const right = tf.equal(tf.argMax(logits, 1), flatLabels(batch));
      return tf.stack([summedCrossEntropy(logits, batch), tf.sum(tf.cast(right, 'float32'))]);
    });
    const [batchLoss = NaN, batchHits = NaN] = await sums.data<'float32'>();
    sums.dispose();
    lossSum += batchLoss;
    hits += batchHits;
    labels += batch.labels.size;
    disposeBatch(batch);
    await nextTurn(); // lets Ctrl-C through
    signal?.throwIfAborted();
  }
  return { loss: lossSum / labels, accuracy: hits / labels };
}

function summedCrossEntropy(logits: tf.Tensor2D, batch: Batch): tf.Scalar {
  const [, classes] = logits.shape;
  const truth = tf.cast(tf.oneHot(flatLabels(batch), classes), 'float32');
  return tf.neg(tf.sum(tf.mul(truth, tf.logSoftmax(logits))));
}

function flatLabels(batch: Batch): tf.Tensor1D {
  return tf.reshape(batch.labels, [batch.labels.size]);
}
