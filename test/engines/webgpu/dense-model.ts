// A model whose bytes are easy to count: square dense layers with ReLU, and no biases.

import * as tfl from '@tensorflow/tfjs-layers';

export function denseModel({ layers, width }: { layers: number; width: number }): tfl.Sequential {
  return tfl.sequential({
    layers: Array.from({ length: layers }, (_, i) =>
      tfl.layers.dense({
        units: width,
        useBias: false,
        activation: 'relu',
        inputShape: [width],
        kernelInitializer: tfl.initializers.heNormal({ seed: i + 1 }),
      }),
    ),
  });
}
