// Encodes small images as a normal distribution of two numbers, and decodes a sample of it.
// Used here: a layer of our own that draws random numbers, a loss of our own over several outputs, minimize() without a
// list of weights.

import * as tf from '@tensorflow/tfjs';
import { adam, lookahead } from 'slowlane'; // new

const PIXELS = 36;
const LATENT = 2;

/** mean + deviation · ε with a new ε for each example. */
class Sample extends tf.layers.Layer {
  static readonly className = 'Sample';

  override computeOutputShape(shapes: tf.Shape[]): tf.Shape {
    return shapes[0] ?? [];
  }

  override call(inputs: tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [mean, logVariance] = inputs as [tf.Tensor, tf.Tensor];
      return mean.add(logVariance.mul(0.5).exp().mul(tf.randomNormal(mean.shape)));
    });
  }
}

function autoencoder(): tf.LayersModel {
  const image = tf.input({ shape: [PIXELS] });
  const hidden = tf.layers.dense({ units: 16, activation: 'relu' }).apply(image);
  const mean = tf.layers.dense({ units: LATENT }).apply(hidden) as tf.SymbolicTensor;
  const logVariance = tf.layers.dense({ units: LATENT }).apply(hidden) as tf.SymbolicTensor;
  const code = new Sample({}).apply([mean, logVariance]);
  const decoder = tf.sequential();
  decoder.add(tf.layers.dense({ units: 16, activation: 'relu', inputShape: [LATENT] }));
  decoder.add(tf.layers.dense({ units: PIXELS, activation: 'sigmoid' }));
  const decoded = decoder.apply(code) as tf.SymbolicTensor;
  return tf.model({ inputs: image, outputs: [decoded, mean, logVariance] });
}

/** The squared error of an image, and the divergence of its code from the unit normal. */
function lossOf(image: tf.Tensor, outputs: tf.Tensor[]): tf.Scalar {
  const [decoded, mean, logVariance] = outputs as [tf.Tensor, tf.Tensor, tf.Tensor];
  const error = tf.losses.meanSquaredError(image, decoded).mul(PIXELS);
  const divergence = logVariance.add(1).sub(mean.square()).sub(logVariance.exp()).sum(-1).mul(-0.5);
  return error.add(divergence).mean();
}

export async function train() {
  // Each image is a bright bar on a dark ground.
  const rows = tf.oneHot(tf.tensor1d([0, 1, 2, 3, 4, 5, 0, 2], 'int32'), 6).expandDims(-1);
  const images = rows.tile([1, 1, 6]).reshape([8, PIXELS]).mul(0.8).add(0.1);
  const model = autoencoder();
  // was: const optimizer = tf.train.adam(0.005);
  const optimizer = lookahead(adam({ learningRate: 0.005 }));
  const losses: number[] = [];
  for (let step = 0; step < 40; step++) {
    const loss = () => lossOf(images, model.apply(images, { training: true }) as tf.Tensor[]);
    // was: const cost = optimizer.minimize(loss, true);
    const cost = await optimizer.step(loss, true);
    losses.push(Number(cost?.dataSync()[0]));
    cost?.dispose();
  }
  await optimizer.finish(); // new
  return { losses, weights: model.getWeights() };
}
