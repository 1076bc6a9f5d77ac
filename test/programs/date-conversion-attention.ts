// Rewrites dates: '31/12/26' becomes '2026-12-31'. A decoder looks back at all letters that the encoder read.
// Used here: a model of two inputs, embeddings with masks, an LSTM that starts from another one's state, attention by dot
// layers, a layer of our own, fit() with validation, decoding letter by letter.

import * as tf from '@tensorflow/tfjs';
import { adam, lookahead } from 'slowlane'; // new

const READ = '_0123456789/'; // code 0 is padding
const WRITTEN = '_>0123456789-'; // '>' starts an answer
const READ_LENGTH = 8;
const WRITTEN_LENGTH = 10;
const UNITS = 8;

class LastStep extends tf.layers.Layer {
  static readonly className = 'LastStep';
  override supportsMasking = true;

  override computeOutputShape(shape: tf.Shape): tf.Shape {
    return [shape[0] ?? null, shape[2] ?? null];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [sequence] = [inputs].flat() as [tf.Tensor3D];
    return tf.tidy(() => sequence.gather([sequence.shape[1] - 1], 1).squeeze([1]));
  }
}

function makeModel(): tf.LayersModel {
  const read = tf.input({ shape: [READ_LENGTH] });
  const written = tf.input({ shape: [WRITTEN_LENGTH] });
  const embedded = (inputDim: number, input: tf.SymbolicTensor) =>
    tf.layers.embedding({ inputDim, outputDim: UNITS, maskZero: true }).apply(input);
  const lstm = () => tf.layers.lstm({ units: UNITS, returnSequences: true });
  const encoder = lstm().apply(embedded(READ.length, read)) as tf.SymbolicTensor;
  const last = new LastStep({}).apply(encoder) as tf.SymbolicTensor;
  const decoder = lstm().apply(embedded(WRITTEN.length, written), {
    initialState: [last, last],
  }) as tf.SymbolicTensor;
  const scores = tf.layers.dot({ axes: [2, 2] }).apply([decoder, encoder]);
  const attention = tf.layers.activation({ activation: 'softmax' }).apply(scores);
  const context = tf.layers.dot({ axes: [2, 1] }).apply([attention as tf.SymbolicTensor, encoder]);
  const both = tf.layers.concatenate().apply([context as tf.SymbolicTensor, decoder]);
  const inTime = (units: number, activation: 'tanh' | 'softmax', input: typeof both) =>
    tf.layers.timeDistributed({ layer: tf.layers.dense({ units, activation }) }).apply(input);
  const letters = inTime(WRITTEN.length, 'softmax', inTime(UNITS, 'tanh', both));
  return tf.model({ inputs: [read, written], outputs: letters as tf.SymbolicTensor });
}

function dates(): { read: tf.Tensor; written: tf.Tensor; next: tf.Tensor } {
  const days = Array.from({ length: 24 }, (_, i) => {
    const [day, month, year] = [1 + ((i * 7) % 28), 1 + (i % 12), 20 + (i % 9)];
    return [day, month, year].map((number) => `${number}`.padStart(2, '0'));
  });
  const codes = (texts: string[], letters: string) =>
    tf.tensor2d(texts.map((text) => text.split('').map((letter) => letters.indexOf(letter))));
  const answers = days.map(([day, month, year]) => `20${year}-${month}-${day}`);
  return {
    read: codes(
      days.map((parts) => parts.join('/')),
      READ,
    ),
    written: codes(
      answers.map((answer) => `>${answer.slice(0, -1)}`),
      WRITTEN,
    ),
    next: tf.oneHot(codes(answers, WRITTEN).toInt(), WRITTEN.length).toFloat(),
  };
}

/** Each letter is decoded from those before it. */
function convert(model: tf.LayersModel, read: tf.Tensor): string {
  let text = '>';
  while (text.length <= WRITTEN_LENGTH) {
    const codes = text
      .padEnd(WRITTEN_LENGTH, '_')
      .split('')
      .map((letter) => WRITTEN.indexOf(letter));
    const inputs = [read, tf.tensor2d([codes])];
    const best = tf.tidy(() => (model.predict(inputs) as tf.Tensor).argMax(-1));
    text += WRITTEN[best.dataSync()[text.length - 1] ?? 0];
  }
  return text.slice(1);
}

export async function train() {
  const { read, written, next } = dates();
  const model = makeModel();
  // was: const optimizer = tf.train.adam(0.01);
  const optimizer = lookahead(adam({ learningRate: 0.01 }));
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const { history } = await model.fit([read, written], next, {
    epochs: 4,
    batchSize: 8,
    shuffle: true,
    validationSplit: 0.25,
    verbose: 0,
    callbacks: optimizer.callbacks(), // new
  });
  await optimizer.finish(); // new
  const text = convert(model, read.slice([0], [1]));
  return { losses: history['loss'] as number[], weights: model.getWeights(), text };
}
