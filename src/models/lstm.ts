// An LSTM over sequences: characters (one-hot, next character at every place) or the rows of an image
// (one class at the end).

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { DataShape } from './dataset.js';
import { layersModel } from './layers-model.js';
import type { Model } from './model.js';

const UNITS = 128;

export function lstm(data: DataShape, seed: number): Model {
  const isText = data.kind === 'text';
  const features = isText ? data.classes : data.side;
  const steps = isText ? data.sequenceLength : data.side;
  const layers = tfl.sequential({
    layers: [
      tfl.layers.lstm({
        inputShape: [steps, features],
        units: UNITS,
        returnSequences: isText,
        recurrentActivation: 'sigmoid',
        kernelInitializer: tfl.initializers.glorotUniform({ seed }),
        // Orthogonal, the usual choice, has no kernel on every engine.
        recurrentInitializer: tfl.initializers.glorotUniform({ seed: seed + 1 }),
      }),
      tfl.layers.dense({
        units: data.classes,
        kernelInitializer: tfl.initializers.glorotUniform({ seed: seed + 2 }),
      }),
    ],
  });
  const what = isText ? `${data.classes} characters` : `rows of ${data.side} pixels`;
  return layersModel(`${what} → LSTM ${UNITS} → ${data.classes}`, layers, (inputs) =>
    isText
      ? tf.cast(tf.oneHot(inputs as tf.Tensor2D, data.classes), 'float32')
      : tf.reshape(inputs, [-1, steps, features]),
  );
}
