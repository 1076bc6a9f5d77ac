// An update alone, three ways; and the way of weights to the host and back, by our adapter, by the generic one, and
// through half precision.

import * as tf from '@tensorflow/tfjs-core';

import type { Device } from '../../src/device/device.js';
import { genericDevice } from '../../src/device/generic.js';
import { currentDevice } from '../../src/device/pick.js';
import { isTensorFlowBackend } from '../../src/device/tensorflow/backend.js';
import { updateInPlaceOn } from '../../src/device/tensorflow/update-in-place.js';
import { adam } from '../../src/index.js';
import { unregisterUpdater } from '../../src/optimizers/updater.js';
import { toHalf } from './half.js';

const REPEATS = 25;
const CHUNK = 2 ** 20;
const CHUNKS = 16;

/** Elements of the weight, and what each of the three takes. */
export function updates(): [string, ...number[]][] {
  const backend = tf.backend();
  if (!isTensorFlowBackend(backend)) throw new Error('TensorFlow is not the current backend.');
  const sizes = [64, 2 ** 16, 2 ** 20, 2 ** 22];
  const time = (make: () => tf.Optimizer) =>
    sizes.map((size) => {
      const [weight, gradient] = [tf.variable(tf.ones([size])), tf.ones([size])];
      const optimizer = make();
      const ms = median(() => optimizer.applyGradients({ [weight.name]: gradient }));
      optimizer.dispose();
      tf.dispose([weight, gradient]);
      return ms;
    });
  const theirs = time(() => tf.train.adam());
  unregisterUpdater(backend);
  const plain = time(() => adam());
  updateInPlaceOn(backend);
  const inPlace = time(() => adam());
  return [
    ['elements', ...sizes],
    ['tf.train.adam', ...theirs],
    ['adam(), tensor operations', ...plain],
    ['adam(), in place', ...inPlace],
  ];
}

export async function moves(): Promise<[string, ...number[]][]> {
  const backend = tf.backend();
  if (!isTensorFlowBackend(backend)) throw new Error('TensorFlow is not the current backend.');
  const weight = tf.tidy(() => tf.variable(tf.ones<tf.Rank.R1>([CHUNK * CHUNKS])));
  const staging = new Float32Array(new SharedArrayBuffer(CHUNK * 4));
  const pull = (device: Device) => {
    for (let i = 0; i < CHUNKS; i++) void device.pull(weight, i * CHUNK, staging);
  };
  const push = async (device: Device) => {
    const writer = device.write();
    for (let i = 0; i < CHUNKS; i++) await writer.push(weight, i * CHUNK, staging);
    writer.close();
    tf.tidy(() => void tf.slice(weight, 0, 1).dataSync());
  };
  const ours = currentDevice();
  const generic = genericDevice('tensorflow');
  const half = () => {
    for (let i = 0; i < CHUNKS; i++) {
      const part = tf.tidy(() => tf.slice(weight, i * CHUNK, CHUNK));
      toHalf(backend, part);
      part.dispose();
    }
  };
  const rows: [string, ...number[]][] = [
    ['pull', median(() => pull(ours))],
    ['pull, generic adapter', await medianOf(async () => pull(generic))],
    ['pull as half precision (not widened again)', median(half)],
    ['push', await medianOf(() => push(ours))],
    ['push, generic adapter', await medianOf(() => push(generic))],
  ];
  weight.dispose();
  return rows;
}

function median(work: () => void): number {
  const times: number[] = [];
  for (let i = 0; i < REPEATS; i++) {
    const began = performance.now();
    work();
    times.push(performance.now() - began);
  }
  return middle(times);
}

async function medianOf(work: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REPEATS; i++) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return middle(times);
}

function middle(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN;
}
