// Tells friendly sentences from unfriendly ones.
// Used here: word embeddings whose gradients are sparse, sentences padded to one length, a one-dimensional convolution,
// dropout, a loss with two classes, early stopping beside a validation split.

import * as tf from '@tensorflow/tfjs';
import { adagrad, lookahead } from 'slowlane'; // new

const GOOD = [
  'a lovely film',
  'great fun and great actors',
  'i loved it',
  'a fine and lovely story',
];
const BAD = ['a dull film', 'bad actors and no fun', 'i hated it', 'a dull and bad story'];
const LENGTH = 6;

/** Code 0 is padding. */
function encoded(sentences: string[]): tf.Tensor2D {
  const words = [...new Set([...GOOD, ...BAD].flatMap((sentence) => sentence.split(' ')))];
  return tf.tensor2d(
    sentences.map((sentence) => {
      const codes = sentence.split(' ').map((word) => words.indexOf(word) + 1);
      return [...Array<number>(LENGTH - codes.length).fill(0), ...codes];
    }),
  );
}

export async function train() {
  const sentences = Array.from({ length: 5 }, () =>
    GOOD.flatMap((good, i) => [good, BAD[i] ?? '']),
  );
  const x = encoded(sentences.flat());
  const y = tf.tensor2d(sentences.flat().map((_, i) => [1 - (i % 2)]));
  const model = tf.sequential();
  model.add(tf.layers.embedding({ inputDim: 30, outputDim: 6, inputLength: LENGTH }));
  model.add(tf.layers.dropout({ rate: 0.2 }));
  model.add(tf.layers.conv1d({ filters: 8, kernelSize: 2, activation: 'relu' }));
  model.add(tf.layers.globalMaxPool1d({}));
  model.add(tf.layers.dense({ units: 8, activation: 'relu' }));
  model.add(tf.layers.dense({ units: 1, activation: 'sigmoid' }));
  // was: const optimizer = tf.train.adagrad(0.1);
  const optimizer = lookahead(adagrad({ learningRate: 0.1 }));
  model.compile({ optimizer, loss: 'binaryCrossentropy', metrics: ['acc'] });

  const stopping = tf.callbacks.earlyStopping({ monitor: 'val_loss', patience: 3 });
  const { history } = await model.fit(x, y, {
    epochs: 5,
    batchSize: 8,
    validationSplit: 0.2,
    verbose: 0,
    // was: callbacks: stopping,
    callbacks: optimizer.callbacks(stopping),
  });
  await optimizer.finish(); // new
  return { losses: history['loss'] as number[], weights: model.getWeights() };
}
