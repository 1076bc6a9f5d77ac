// Finds a square in an image and says where it is. First the new layers alone are trained, then the convolution with them.
// Used here: a loss function of our own in compile(), a layer that is frozen in the first fit() and not in the second, a new
// optimizer for each, because those of tf.train keep their state by the position of a weight.

import * as tf from '@tensorflow/tfjs';
import { lookahead, rmsprop } from 'slowlane'; // new

const SIDE = 8;
const SQUARE = 3;

/** The target is the left and the top edge of the square, and 1 if it is bright, else 0. */
function images(count: number): { x: tf.Tensor; y: tf.Tensor2D } {
  const targets = Array.from({ length: count }, (_, i) => [(i * 3) % 6, (i * 5) % 6, i % 2]);
  const pixels = targets.map(([left = 0, top = 0, isBright = 0]) =>
    Array.from({ length: SIDE }, (_, y) =>
      Array.from({ length: SIDE }, (_, x) => {
        const isInside = x >= left && x < left + SQUARE && y >= top && y < top + SQUARE;
        return [(isInside ? 0.5 + isBright / 2 : 0) + Math.random() / 10];
      }),
    ),
  );
  return { x: tf.tensor4d(pixels), y: tf.tensor2d(targets) };
}

/** The error of the brightness counts as much as one of this many pixels. */
function lossOf(target: tf.Tensor, predicted: tf.Tensor): tf.Scalar {
  return tf.losses.meanSquaredError(target.mul([1, 1, SQUARE]), predicted.mul([1, 1, SQUARE]));
}

export async function train() {
  const model = tf.sequential();
  const inputShape: [number, number, number] = [SIDE, SIDE, 1];
  model.add(tf.layers.conv2d({ filters: 4, kernelSize: 3, activation: 'relu', inputShape }));
  model.add(tf.layers.averagePooling2d({ poolSize: 2 }));
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 12, activation: 'relu' }));
  model.add(tf.layers.dense({ units: 3 }));
  const convolution = model.layers[0] as tf.layers.Layer;
  convolution.trainable = false;

  const { x, y } = images(24);
  const losses: number[] = [];
  for (const phase of ['the new layers', 'all layers']) {
    convolution.trainable = phase === 'all layers';
    // was: const optimizer = tf.train.rmsprop(0.005);
    const optimizer = lookahead(rmsprop({ learningRate: 0.005 }));
    model.compile({ optimizer, loss: lossOf });
    const { history } = await model.fit(x, y, {
      epochs: 4,
      batchSize: 8,
      verbose: 0,
      callbacks: optimizer.callbacks(), // new
    });
    await optimizer.finish(); // new
    losses.push(...(history['loss'] as number[]));
  }
  return { losses, weights: model.getWeights() };
}
