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
  const one = await movesOf([CHUNKS]);
  const many = await movesOf(Array.from({ length: CHUNKS }, () => 1));
  return [
    ['MiB of each weight', 4 * CHUNKS, 4],
    ...one.map(([label, ms], i): [string, ...number[]] => [label, ms, many[i]?.[1] ?? NaN]),
  ];
}

/** Of weights that have so many chunks. */
async function movesOf(chunksOfEach: readonly number[]): Promise<[string, number][]> {
  const backend = tf.backend();
  if (!isTensorFlowBackend(backend)) throw new Error('TensorFlow is not the current backend.');
  const weights = chunksOfEach.map((chunks) =>
    tf.tidy(() => tf.variable(tf.ones([CHUNK * chunks]))),
  );
  const staging = new Float32Array(new SharedArrayBuffer(CHUNK * 4));
  const parts = chunksOfEach.flatMap((chunks, w) =>
    Array.from({ length: chunks }, (_, i) => ({
      weight: weights[w] as tf.Variable<tf.Rank.R1>,
      start: i * CHUNK,
    })),
  );
  const pull = async (device: Device) => {
    for (const { weight, start } of parts) await device.pull(weight, start, staging);
  };
  const push = async (device: Device) => {
    const writer = device.write();
    for (const { weight, start } of parts) await writer.push(weight, start, staging);
    writer.close();
    for (const weight of weights) tf.tidy(() => void tf.slice(weight, 0, 1).dataSync());
  };
  const half = () => {
    for (const { weight, start } of parts) {
      const part = tf.tidy(() => tf.slice(weight, start, CHUNK));
      toHalf(backend, part);
      part.dispose();
    }
  };
  const [ours, generic] = [currentDevice(), genericDevice('tensorflow')];
  const rows: [string, number][] = [
    ['pull', await medianOf(() => pull(ours))],
    ['pull, generic adapter', await medianOf(() => pull(generic))],
    ['pull as half precision (not widened again)', median(half)],
    ['push', await medianOf(() => push(ours))],
    ['push, generic adapter', await medianOf(() => push(generic))],
  ];
  tf.dispose(weights);
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
