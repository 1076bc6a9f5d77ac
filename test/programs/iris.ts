// Tells three kinds of flowers by the lengths of their leaves.
// Used here: fitDataset() on a shuffled and batched tf.data pipeline, validation data, callbacks, evaluate().

import * as tf from '@tensorflow/tfjs';
import { adam, lookahead } from 'slowlane'; // new

const KINDS = [
  [5.0, 3.4, 1.5, 0.2],
  [5.9, 2.8, 4.3, 1.3],
  [6.6, 3.0, 5.6, 2.0],
];

/** Around the mean of each kind. */
function flowers(count: number): tf.data.Dataset<{ xs: tf.Tensor; ys: tf.Tensor }> {
  const labels = Array.from({ length: count }, (_, i) => i % KINDS.length);
  const sizes = labels.map((label) => KINDS[label]?.map((mean) => mean + Math.random() - 0.5));
  const xs = tf.data.array(sizes as number[][]);
  const ys = tf.data.array(labels).map((label) => tf.oneHot(label as never, KINDS.length));
  const pairs = tf.data.zip({ xs, ys }) as tf.data.Dataset<{ xs: tf.Tensor; ys: tf.Tensor }>;
  return pairs.shuffle(count, '7').batch(8) as typeof pairs;
}

export async function train() {
  const model = tf.sequential();
  model.add(tf.layers.dense({ units: 10, activation: 'sigmoid', inputShape: [4] }));
  model.add(tf.layers.dense({ units: KINDS.length, activation: 'softmax' }));
  // was: const optimizer = tf.train.adam(0.02);
  const optimizer = lookahead(adam({ learningRate: 0.02 }));
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

  const test = flowers(12);
  const losses: number[] = [];
  const onEpochEnd = async (_: number, logs?: tf.Logs) => void losses.push(Number(logs?.['loss']));
  await model.fitDataset(flowers(48), {
    epochs: 6,
    verbose: 0,
    validationData: test,
    // was: callbacks: { onEpochEnd },
    callbacks: optimizer.callbacks({ onEpochEnd }),
  });
  await optimizer.finish(); // new
  tf.dispose(await model.evaluateDataset(test, {}));
  return { losses, weights: model.getWeights() };
}
