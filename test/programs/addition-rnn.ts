// Learns to add two numbers from their digits as text. An LSTM reads '12+7 ', another one writes '19 '.
// Used here: fit() in a loop of rounds, an optimizer by its name, metrics, validation data.

import * as tf from '@tensorflow/tfjs';
import { adam, lookahead } from 'slowlane'; // new

const CHARACTERS = '0123456789+ ';
const ADDENDS = [3, 8, 14, 25, 31, 46, 52, 67, 70, 89];

function oneHot(texts: string[]): tf.Tensor {
  const codes = texts.map((text) =>
    text.split('').map((character) => CHARACTERS.indexOf(character)),
  );
  return tf.oneHot(tf.tensor2d(codes, undefined, 'int32'), CHARACTERS.length).toFloat();
}

function additions(): { questions: tf.Tensor; answers: tf.Tensor } {
  const pairs = ADDENDS.flatMap((a) => ADDENDS.slice(0, 4).map((b) => [a, b] as const));
  return {
    questions: oneHot(pairs.map(([a, b]) => `${a}+${b}`.padEnd(5))),
    answers: oneHot(pairs.map(([a, b]) => `${a + b}`.padEnd(3))),
  };
}

export async function train() {
  const { questions, answers } = additions();
  const model = tf.sequential();
  model.add(tf.layers.lstm({ units: 10, inputShape: [5, CHARACTERS.length] }));
  model.add(tf.layers.repeatVector({ n: 3 }));
  model.add(tf.layers.lstm({ units: 10, returnSequences: true }));
  const letter = tf.layers.dense({ units: CHARACTERS.length, activation: 'softmax' });
  model.add(tf.layers.timeDistributed({ layer: letter }));
  const optimizer = lookahead(adam({ learningRate: 0.001 })); // new
  model.compile({
    loss: 'categoricalCrossentropy',
    // was: optimizer: 'adam',
    optimizer,
    metrics: ['accuracy'],
  });

  const losses: number[] = [];
  for (let round = 0; round < 3; round++) {
    const { history } = await model.fit(questions, answers, {
      epochs: 1,
      batchSize: 8,
      verbose: 0,
      validationData: [questions.slice([0], [8]), answers.slice([0], [8])],
      callbacks: optimizer.callbacks(), // new
    });
    losses.push(Number(history['loss']?.[0]));
    const some = questions.slice([0], [3]);
    tf.dispose([some, tf.tidy(() => (model.predict(some) as tf.Tensor).argMax(-1))]);
  }
  await optimizer.finish(); // new
  return { losses, weights: model.getWeights() };
}
