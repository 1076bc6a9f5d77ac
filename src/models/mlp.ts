// A multi-layer perceptron for images: 784 → 128 → 64 → classes, ReLU.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { ImageShape } from './dataset.js';
import { layersModel } from './layers-model.js';
import type { Model } from './model.js';

const HIDDEN = [128, 64] as const;

export function mlp(data: ImageShape, seed: number): Model {
  const pixels = data.side * data.side;
  const sizes = [pixels, ...HIDDEN, data.classes];
  const layers = tfl.sequential({
    layers: [
      tfl.layers.dense({
        inputShape: [pixels],
        units: HIDDEN[0],
        activation: 'relu',
        kernelInitializer: tfl.initializers.heNormal({ seed }),
      }),
      tfl.layers.dense({
        units: HIDDEN[1],
        activation: 'relu',
        kernelInitializer: tfl.initializers.heNormal({ seed: seed + 1 }),
      }),
      tfl.layers.dense({
        units: data.classes,
        kernelInitializer: tfl.initializers.glorotUniform({ seed: seed + 2 }),
      }),
    ],
  });
  return layersModel(`${sizes.join(' → ')}, ReLU`, layers, (inputs) =>
    tf.reshape(inputs, [-1, pixels]),
  );
}
