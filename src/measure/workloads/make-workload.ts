// Makes what a policy trains. All numbers come from a seed, so that every cell trains the same: batches are
// synthetic, of the shape that the model's data has. Memory and time of a step don't depend on values.

import * as tf from '@tensorflow/tfjs-core';

import { meanCrossEntropy } from '../../models/cross-entropy.js';
import { type Batch, type DataShape, MNIST_SHAPE, MOBY_DICK_SHAPE } from '../../models/dataset.js';
import { makeModel } from '../../models/make.js';
import { countParameters } from '../../models/model.js';
import type { ModelName } from '../../models/names.js';
import type { CellOptions } from '../record-parts.js';
import type { TrainingDevice } from '../devices/devices.js';
import { makeStack, uniform } from './stack.js';
import type { Workload } from './steppers.js';

const SEED = 1;

const SHAPES: Readonly<Record<ModelName, DataShape>> = {
  mlp: MNIST_SHAPE,
  cnn: MNIST_SHAPE,
  lstm: MNIST_SHAPE,
  transformer: MOBY_DICK_SHAPE,
};

export async function makeWorkload(
  device: TrainingDevice,
  { model, layers, width, batch }: Pick<CellOptions, 'model' | 'layers' | 'width' | 'batch'>,
): Promise<Workload> {
  if (model !== 'stack') return modelOf(device, model, batch);
  if (layers === null || width === null) throw new TypeError('A stack has layers and a width.');
  return makeStack(device, { layers, width, batch });
}

async function modelOf(
  device: TrainingDevice,
  name: ModelName,
  batchSize: number,
): Promise<Workload> {
  const shape = SHAPES[name];
  const model = makeModel(name, shape, SEED);
  const batch = batchOf(shape, batchSize);
  const weights = [...model.variables];
  for (const tensor of [...weights, batch.inputs, batch.labels]) await device.upload(tensor);
  return {
    weights,
    loss: () => meanCrossEntropy(model, batch),
    parameters: countParameters(model),
    learningRate: 1e-3, // as `slowlane train` has it
  };
}

function batchOf(shape: DataShape, size: number): Batch {
  if (shape.kind === 'images') {
    const { side, classes } = shape;
    const pixels = uniform(size * side * side, 0.5, 1001).map((value) => value + 0.5);
    return {
      inputs: tf.tensor4d(pixels, [size, side, side, 1]),
      labels: tf.tensor1d(wholeNumbers(size, classes, 1002), 'int32'),
    };
  }
  const { sequenceLength, classes } = shape;
  const [inputs, labels] = [1001, 1002].map((seed) =>
    tf.tensor2d(
      wholeNumbers(size * sequenceLength, classes, seed),
      [size, sequenceLength],
      'int32',
    ),
  ) as [tf.Tensor, tf.Tensor];
  return { inputs, labels };
}

/** 0 to `below` − 1. */
function wholeNumbers(length: number, below: number, seed: number): Int32Array {
  const numbers = uniform(length, below / 2, seed);
  return Int32Array.from(numbers, (value) => Math.min(below - 1, Math.floor(value + below / 2)));
}
