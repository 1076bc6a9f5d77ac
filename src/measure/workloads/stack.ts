// What is trained: dense layers of width × width without bias, ReLU between them, mean squared error to
// random targets. All numbers come from a seed, so that every cell trains the same.

import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import * as tf from '@tensorflow/tfjs-core';

import type { TrainingDevice } from '../devices/devices.js';
import type { Workload } from './steppers.js';

export interface StackSize {
  readonly layers: number;
  readonly width: number;
  readonly batch: number;
}

export function parametersOf({ layers, width }: StackSize): number {
  return layers * width * width;
}

/**
 * Adam moves every weight by about its rate, all of a row alike: an output changes by up to
 * rate × width. This keeps that small in a deep stack: 1e-5 for a width of 4096.
 */
export function learningRateOf({ width }: Pick<StackSize, 'width'>): number {
  return 0.04 / width;
}

export async function makeStack(device: TrainingDevice, size: StackSize): Promise<Workload> {
  const { layers, width, batch } = size;
  const bound = Math.sqrt(6 / width); // He: ReLU halves the second moment
  const weights: tf.Variable[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const values = uniform(width * width, bound, layer + 1);
    const weight = tf.tidy(() =>
      tf.variable(tf.tensor2d(values, [width, width]), true, `layer${layer}/kernel`),
    );
    await device.upload(weight);
    weights.push(weight);
  }
  const x = tf.tensor2d(uniform(batch * width, Math.sqrt(3), 1001), [batch, width]);
  const target = tf.tensor2d(uniform(batch * width, Math.sqrt(3), 1002), [batch, width]);
  for (const tensor of [x, target]) await device.upload(tensor);
  return {
    weights,
    loss: () => lossOf(weights, x, target),
    parameters: parametersOf(size),
    learningRate: learningRateOf(size),
  };
}

function lossOf(weights: readonly tf.Variable[], x: tf.Tensor2D, target: tf.Tensor2D): tf.Scalar {
  const last = weights.length - 1;
  const output = weights.reduce<tf.Tensor>((input, weight, layer) => {
    const product = tf.matMul(input, weight);
    return layer === last ? product : tf.relu(product);
  }, x);
  return tf.mean<tf.Scalar>(tf.squaredDifference(output, target));
}

/** Uniform in ±bound. xorshift32: fast, for there may be hundreds of millions. */
export function uniform(length: number, bound: number, seed: number): Float32Array {
  const values = new Float32Array(length);
  const scale = bound / 2 ** 31;
  let x = Math.imul(seed, 0x9e3779b9) | 1;
  for (let i = 0; i < length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    values[i] = x * scale;
  }
  return values;
}
