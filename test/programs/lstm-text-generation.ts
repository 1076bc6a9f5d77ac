// Learns the next letter of a text and writes some. The LSTM keeps its state from batch to batch: the rows of a batch
// go on where those of the previous one ended.
// Used here: stateful batches, fit() with plain callbacks, sampling with a temperature.

import * as tf from '@tensorflow/tfjs';
import { lookahead, rmsprop } from 'slowlane'; // new

const TEXT = 'the slow lane is the fast lane of those who go far. '.repeat(4);
const LETTERS = [...new Set(TEXT)].toSorted();
const ROWS = 4;
const LENGTH = 8;

/** Row r of batch b continues row r of batch b − 1. */
function batches(): { x: tf.Tensor; y: tf.Tensor } {
  const codes = TEXT.split('').map((letter) => LETTERS.indexOf(letter));
  const stride = Math.floor(codes.length / ROWS);
  const count = Math.floor((stride - 1) / LENGTH);
  const starts = Array.from({ length: count * ROWS }, (_, i) => {
    return (i % ROWS) * stride + Math.floor(i / ROWS) * LENGTH;
  });
  const oneHot = (indices: number[][] | number[]) =>
    tf.oneHot(tf.tensor(indices, undefined, 'int32'), LETTERS.length).toFloat();
  return {
    x: oneHot(starts.map((start) => codes.slice(start, start + LENGTH))),
    y: oneHot(starts.map((start) => codes[start + LENGTH] ?? 0)),
  };
}

/** The same letter is fed to all rows; the first row is read. */
function write(model: tf.LayersModel, seed: tf.Tensor, letters: number): string {
  model.resetStates();
  return tf.tidy(() => {
    let input = seed;
    return Array.from({ length: letters }, () => {
      const scores = (model.predict(input) as tf.Tensor2D).log().div<tf.Tensor2D>(0.7);
      const drawn = tf.multinomial(scores.slice([0, 0], [1, -1]), 1).dataSync()[0] ?? 0;
      const next = tf.oneHot(tf.fill([ROWS, 1], drawn, 'int32'), LETTERS.length).toFloat();
      input = tf.concat([input.slice([0, 1], [-1, -1]), next], 1);
      return LETTERS[drawn];
    }).join('');
  });
}

export async function train() {
  const { x, y } = batches();
  const model = tf.sequential();
  const batchInputShape: [number, number, number] = [ROWS, LENGTH, LETTERS.length];
  model.add(tf.layers.lstm({ units: 12, batchInputShape, stateful: true, returnSequences: true }));
  model.add(tf.layers.lstm({ units: 12, stateful: true }));
  model.add(tf.layers.dense({ units: LETTERS.length, activation: 'softmax' }));
  // was: const optimizer = tf.train.rmsprop(0.01);
  const optimizer = lookahead(rmsprop({ learningRate: 0.01 }));
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });

  const losses: number[] = [];
  const onEpochEnd = async (_: number, logs?: tf.Logs) => {
    losses.push(Number(logs?.['loss']));
    model.resetStates();
  };
  await model.fit(x, y, {
    epochs: 3,
    batchSize: ROWS,
    shuffle: false,
    verbose: 0,
    // was: callbacks: { onEpochEnd },
    callbacks: optimizer.callbacks({ onEpochEnd }),
  });
  await optimizer.finish(); // new
  const text = write(model, x.slice([0], [ROWS]), 5);
  return { losses, weights: model.getWeights(), text };
}
