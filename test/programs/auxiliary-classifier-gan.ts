// A generator draws small images of two classes, and a discriminator says whether an image is real and of which class.
// Used here: two optimizers on models that share layers, trainOnBatch(), two inputs and two outputs, `trainable` toggled
// between the steps, convolutions there and back, batch normalization, dropout.

import * as tf from '@tensorflow/tfjs';
import { adam, lookahead } from 'slowlane'; // new

const SIDE = 6;
const CLASSES = 2;
const LATENT = 4;
const BATCH = 6;
const LOSSES = ['binaryCrossentropy', 'sparseCategoricalCrossentropy'];

function makeGenerator(): tf.LayersModel {
  const image = tf.sequential();
  image.add(tf.layers.dense({ units: 3 * 3 * 4, activation: 'relu', inputShape: [LATENT] }));
  image.add(tf.layers.reshape({ targetShape: [3, 3, 4] }));
  image.add(tf.layers.batchNormalization());
  const upwards = { filters: 1, kernelSize: 3, strides: 2, padding: 'same' } as const;
  image.add(tf.layers.conv2dTranspose({ ...upwards, activation: 'tanh' }));
  const noise = tf.input({ shape: [LATENT] });
  const label = tf.input({ shape: [1] });
  const embedding = tf.layers.embedding({ inputDim: CLASSES, outputDim: LATENT }).apply(label);
  const flat = tf.layers.flatten().apply(embedding) as tf.SymbolicTensor;
  const both = tf.layers.multiply().apply([noise, flat]);
  return tf.model({ inputs: [noise, label], outputs: image.apply(both) as tf.SymbolicTensor });
}

function makeDiscriminator(): tf.LayersModel {
  const image = tf.input({ shape: [SIDE, SIDE, 1] });
  const convolutions = tf.sequential();
  const downwards = { filters: 4, kernelSize: 3, strides: 2, padding: 'same' } as const;
  convolutions.add(tf.layers.conv2d({ ...downwards, inputShape: [SIDE, SIDE, 1] }));
  convolutions.add(tf.layers.leakyReLU({ alpha: 0.2 }));
  convolutions.add(tf.layers.dropout({ rate: 0.3 }));
  convolutions.add(tf.layers.flatten());
  const features = convolutions.apply(image);
  const isReal = tf.layers.dense({ units: 1, activation: 'sigmoid' }).apply(features);
  const kind = tf.layers.dense({ units: CLASSES, activation: 'softmax' }).apply(features);
  return tf.model({ inputs: image, outputs: [isReal, kind] as tf.SymbolicTensor[] });
}

/** Class 0 is bright on the left, class 1 on the right. */
function realImages(): { images: tf.Tensor; labels: tf.Tensor } {
  const labels = Array.from({ length: BATCH }, (_, i) => i % CLASSES);
  const pixels = labels.map((label) =>
    Array.from({ length: SIDE }, () =>
      Array.from({ length: SIDE }, (_, x) => [x < SIDE / 2 === (label === 0) ? 0.8 : -0.8]),
    ),
  );
  return { images: tf.tensor4d(pixels), labels: tf.tensor2d(labels, [BATCH, 1]) };
}

export async function train() {
  const generator = makeGenerator();
  const discriminator = makeDiscriminator();
  // was: const ofDiscriminator = tf.train.adam(0.01, 0.5);
  const ofDiscriminator = lookahead(adam({ learningRate: 0.01, beta1: 0.5 }));
  discriminator.compile({ optimizer: ofDiscriminator, loss: LOSSES });
  // was: const ofGenerator = tf.train.adam(0.01, 0.5);
  const ofGenerator = lookahead(adam({ learningRate: 0.01, beta1: 0.5 }));
  discriminator.trainable = false;
  const fake = generator.apply(generator.inputs) as tf.SymbolicTensor;
  const judged = discriminator.apply(fake) as tf.SymbolicTensor[];
  const combined = tf.model({ inputs: generator.inputs, outputs: judged });
  combined.compile({ optimizer: ofGenerator, loss: LOSSES });
  discriminator.trainable = true;

  const { images, labels } = realImages();
  const losses: number[] = [];
  for (let step = 0; step < 20; step++) {
    const noise = tf.randomUniform([BATCH, LATENT], -1, 1);
    const drawn = generator.predict([noise, labels]) as tf.Tensor;
    const isReal = tf.concat([tf.fill([BATCH, 1], 0.95), tf.zeros([BATCH, 1])]);
    const [loss] = (await discriminator.trainOnBatch(tf.concat([images, drawn]), [
      isReal,
      tf.concat([labels, labels]),
    ])) as number[];
    losses.push(Number(loss));
    discriminator.trainable = false;
    await combined.trainOnBatch([noise, labels], [tf.fill([BATCH, 1], 0.95), labels]);
    discriminator.trainable = true; // before the sync, which passes frozen weights by
    await Promise.all([ofDiscriminator.sync(), ofGenerator.sync()]); // new
  }
  await Promise.all([ofDiscriminator.finish(), ofGenerator.finish()]); // new
  return { losses, weights: [...generator.getWeights(), ...discriminator.getWeights()] };
}
