// Foretells the temperature from measurements of the hours before.
// Used here: fitDataset() on an endless generator with batchesPerEpoch, a GRU with dropout of its inputs and of its state,
// a regularizer, an optimizer by its name, the mean absolute error.

import * as tf from '@tensorflow/tfjs';
import { lookahead, rmsprop } from 'slowlane'; // new

const HOURS = 8;
const SENSORS = 3;
const BATCH = 8;

/** Warm days, cold nights, and two other numbers that go with them. */
function measured(hour: number): number[] {
  const angle = (hour / 24) * 2 * Math.PI;
  return [Math.sin(angle), Math.cos(angle + 0.4), Math.sin(2 * angle) / 2];
}

/** Windows from random hours on; the target is the temperature six hours after. */
function* windows() {
  for (;;) {
    const starts = Array.from({ length: BATCH }, () => Math.floor(Math.random() * 1000));
    const ofStart = (start: number) =>
      Array.from({ length: HOURS }, (_, hour) => measured(start + hour));
    const later = starts.map((start) => measured(start + HOURS + 6).slice(0, 1));
    yield { xs: tf.tensor3d(starts.map(ofStart)), ys: tf.tensor2d(later) };
  }
}

export async function train() {
  const model = tf.sequential();
  const inputShape = [HOURS, SENSORS];
  const kernelRegularizer = tf.regularizers.l2({ l2: 1e-4 });
  const dropping = { dropout: 0.1, recurrentDropout: 0.1 };
  model.add(tf.layers.gru({ units: 8, inputShape, kernelRegularizer, ...dropping }));
  model.add(tf.layers.dense({ units: 1 }));
  const optimizer = lookahead(rmsprop({ learningRate: 0.001 })); // new
  // was: model.compile({ optimizer: 'rmsprop', loss: 'meanAbsoluteError' });
  model.compile({ optimizer, loss: 'meanAbsoluteError' });

  const { history } = await model.fitDataset(tf.data.generator(windows), {
    epochs: 4,
    batchesPerEpoch: 6,
    verbose: 0,
    validationData: tf.data.generator(windows),
    validationBatches: 1,
    callbacks: optimizer.callbacks(), // new
  });
  await optimizer.finish(); // new
  return { losses: history['loss'] as number[], weights: model.getWeights() };
}
