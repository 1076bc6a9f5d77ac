// Takes the convolutions of a network that knows other images, freezes them, and trains new dense layers behind them.
// Used here: a model that is saved and loaded, a second model on layers of the first, fit() with frozen layers, metrics.

import * as tf from '@tensorflow/tfjs';
import { lookahead, momentum } from 'slowlane'; // new

const SIDE = 8;

/** Class c is bright in column `from` + c. */
function columns(from: number, classes: number): { x: tf.Tensor; y: tf.Tensor } {
  const labels = Array.from({ length: 24 }, (_, i) => i % classes);
  const column = tf.oneHot(tf.tensor1d(labels, 'int32').add(from).toInt(), SIDE);
  const bars = column.expandDims(1).tile([1, SIDE, 1]).expandDims(-1);
  return {
    x: bars.add(tf.randomNormal(bars.shape, 0, 0.1)),
    y: tf.oneHot(tf.tensor1d(labels, 'int32'), classes).toFloat(),
  };
}

/** As it is found on the web: trained on other images, and saved. */
async function pretrained(): Promise<tf.LayersModel> {
  const model = tf.sequential();
  const inputShape: [number, number, number] = [SIDE, SIDE, 1];
  model.add(tf.layers.conv2d({ filters: 4, kernelSize: 3, activation: 'relu', inputShape }));
  model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
  model.add(tf.layers.flatten({ name: 'features' }));
  model.add(tf.layers.dense({ units: 4, activation: 'softmax' }));
  model.compile({ optimizer: tf.train.momentum(0.05, 0.9), loss: 'categoricalCrossentropy' });
  const { x, y } = columns(0, 4);
  await model.fit(x, y, { epochs: 2, batchSize: 8, verbose: 0 });
  const files: tf.io.ModelArtifacts[] = [];
  const handler = tf.io.withSaveHandler(async (artifacts) => {
    files.push(artifacts);
    return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
  });
  await model.save(handler);
  return tf.loadLayersModel(tf.io.fromMemory(files[0] as tf.io.ModelArtifacts));
}

export async function train() {
  const base = await pretrained();
  const features = base.getLayer('features').output as tf.SymbolicTensor;
  const hidden = tf.layers.dense({ units: 8, activation: 'relu' }).apply(features);
  const kind = tf.layers.dense({ units: 3, activation: 'softmax' }).apply(hidden);
  const model = tf.model({ inputs: base.inputs, outputs: kind as tf.SymbolicTensor });
  for (const layer of base.layers) layer.trainable = false;
  // was: const optimizer = tf.train.momentum(0.02, 0.9);
  const optimizer = lookahead(momentum({ learningRate: 0.02, momentum: 0.9 }));
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

  const { x, y } = columns(4, 3);
  const { history } = await model.fit(x, y, {
    epochs: 5,
    batchSize: 8,
    validationSplit: 0.25,
    verbose: 0,
    callbacks: optimizer.callbacks(), // new
  });
  await optimizer.finish(); // new
  return { losses: history['loss'] as number[], weights: model.getWeights() };
}
