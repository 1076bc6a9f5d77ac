// The models that are stacks of tfjs-layers.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Batch, DataShape, ImageShape } from './dataset.js';
import type { Model } from './model.js';

const HIDDEN = [128, 64] as const;

/** A multi-layer perceptron for images: 784 → 128 → 64 → classes, ReLU. */
export function mlp(data: ImageShape, seed: number): Model {
  const pixels = data.side * data.side;
  const sizes = [pixels, ...HIDDEN, data.classes];
  const layers = tfl.sequential({
    layers: [
      tfl.layers.dense({ inputShape: [pixels], units: HIDDEN[0], ...relu(seed) }),
      tfl.layers.dense({ units: HIDDEN[1], ...relu(seed + 1) }),
      scores(data, seed + 2),
    ],
  });
  return layersModel(`${sizes.join(' → ')}, ReLU`, layers, (inputs) =>
    tf.reshape(inputs, [-1, pixels]),
  );
}

const CHANNELS = [8, 16] as const;

/**
 * A small convolutional net for images: 5×5 convolution with stride 2, max pool, 3×3 convolution, dense. Small, because
 * `cpu` computes gradients of filters slowly. They cost (output size × filter size), hence the early stride and pool.
 */
export function cnn(data: ImageShape, seed: number): Model {
  const layers = tfl.sequential({
    layers: [
      tfl.layers.conv2d({
        inputShape: [data.side, data.side, 1],
        filters: CHANNELS[0],
        kernelSize: 5,
        strides: 2,
        ...relu(seed),
      }),
      tfl.layers.maxPooling2d({ poolSize: 2 }),
      tfl.layers.conv2d({ filters: CHANNELS[1], kernelSize: 3, ...relu(seed + 1) }),
      tfl.layers.flatten(),
      scores(data, seed + 2),
    ],
  });
  return layersModel(
    `convolution 5×5/2, ${CHANNELS[0]} channels → max pool → convolution 3×3, ${CHANNELS[1]} channels → ${data.classes}`,
    layers,
    (inputs) => inputs,
  );
}

const UNITS = 128;

/**
 * An LSTM over sequences: characters (one-hot, next character at every place) or the rows of an image (one class at the
 * end).
 */
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
      scores(data, seed + 2),
    ],
  });
  const what = isText ? `${data.classes} characters` : `rows of ${data.side} pixels`;
  return layersModel(`${what} → LSTM ${UNITS} → ${data.classes}`, layers, (inputs) =>
    isText
      ? tf.cast(tf.oneHot(inputs as tf.Tensor2D, data.classes), 'float32')
      : tf.reshape(inputs, [-1, steps, features]),
  );
}

function relu(seed: number) {
  return {
    activation: 'relu',
    kernelInitializer: tfl.initializers.heNormal({ seed }),
  } as const;
}

/** The last layer. */
function scores({ classes }: DataShape, seed: number) {
  const kernelInitializer = tfl.initializers.glorotUniform({ seed });
  return tfl.layers.dense({ units: classes, kernelInitializer });
}

/**
 * Wraps `layers`, which must end in scores for each class. `prepare` turns the inputs of a batch into
 * what the first layer takes. The model owns the layers from now on.
 */
function layersModel(
  description: string,
  layers: tfl.Sequential,
  prepare: (inputs: tf.Tensor) => tf.Tensor,
): Model {
  return {
    description,
    variables: layers.trainableWeights.map((weight) => asVariable(weight.read())),
    logits(batch: Batch): tf.Tensor2D {
      const scores = layers.apply(prepare(batch.inputs), { training: true }) as tf.Tensor;
      return tf.reshape(scores, [batch.labels.size, scores.shape.at(-1) ?? 0]);
    },
    dispose: () => void layers.dispose(),
  };
}

/** `read()` is declared as a tensor and returns the variable itself. */
function asVariable(weight: tf.Tensor): tf.Variable {
  if (weight instanceof tf.Variable) return weight;
  throw new TypeError(
    `Expected a weight to be a tf.Variable; this version of tfjs-layers is not known.`,
  );
}
