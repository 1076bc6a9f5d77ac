// A small convolutional net for images: 5×5 convolution with stride 2, max pool, 3×3 convolution, dense.
// Small, because `cpu`, the only engine that is always available for it, computes gradients of filters slowly. They
// cost (output size × filter size), hence the early stride and pool.

import * as tfl from '@tensorflow/tfjs-layers';
import type { ImageShape } from './dataset.js';
import { layersModel } from './layers-model.js';
import type { Model } from './model.js';

const CHANNELS = [8, 16] as const;

export function cnn(data: ImageShape, seed: number): Model {
  const layers = tfl.sequential({
    layers: [
      tfl.layers.conv2d({
        inputShape: [data.side, data.side, 1],
        filters: CHANNELS[0],
        kernelSize: 5,
        strides: 2,
        activation: 'relu',
        kernelInitializer: tfl.initializers.heNormal({ seed }),
      }),
      tfl.layers.maxPooling2d({ poolSize: 2 }),
      tfl.layers.conv2d({
        filters: CHANNELS[1],
        kernelSize: 3,
        activation: 'relu',
        kernelInitializer: tfl.initializers.heNormal({ seed: seed + 1 }),
      }),
      tfl.layers.flatten(),
      tfl.layers.dense({
        units: data.classes,
        kernelInitializer: tfl.initializers.glorotUniform({ seed: seed + 2 }),
      }),
    ],
  });
  return layersModel(
    `convolution 5×5/2, ${CHANNELS[0]} channels → max pool → convolution 3×3, ${CHANNELS[1]} channels → ${data.classes}`,
    layers,
    (inputs) => inputs,
  );
}
