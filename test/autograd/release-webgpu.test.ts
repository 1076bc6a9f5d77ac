import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { UpdateCounts } from '#src/engines/webgpu/update/update-in-place.js';
import { updateInPlaceOn } from '../engines/webgpu/update/in-place.js';
import { adam } from '#src/optimizers/index.js';
import {
  type Backend,
  noErrors,
  noise,
  startSoftwareWebGPU,
  variableOf,
} from '../engines/webgpu/update/webgpu.js';
import { watched } from '../engines/webgpu/update/watched.js';

const SIZE = 128;
const LAYERS = 8;

let backend: Backend;
let counts: UpdateCounts;
beforeAll(async () => {
  backend = await startSoftwareWebGPU();
});
beforeEach(() => {
  ({ counts } = updateInPlaceOn(backend));
});

/** Weights and losses of 10 steps, and the peak of the last one over the bytes of the weights. */
async function trained(gradients: 'keep' | 'release') {
  const weights = Array.from({ length: LAYERS }, (_, i) => matrix(i + 1));
  const bias = variableOf(noise(SIZE, 77));
  const x = tf.tensor2d(noise(8 * SIZE, 99), [8, SIZE]);
  const loss = (): tf.Scalar => {
    let y: tf.Tensor = x;
    for (const weight of weights) y = tf.relu(tf.add(tf.matMul(y, weight), bias));
    y = tf.matMul(y, weights[0]!, false, true); // tied
    return tf.mean(tf.square(y));
  };
  const optimizer = adam({ gradients });
  const losses: number[] = [];
  let peakBytes = 0;
  for (let step = 0; step < 10; step++) {
    let cost: tf.Scalar | null = null;
    ({ peakBytesUsed: peakBytes } = watched(backend, () => {
      cost = optimizer.minimize(loss, true, [...weights, bias]);
    }));
    const given = cost as tf.Scalar | null;
    losses.push(Number((await given?.data())?.[0]));
    given?.dispose();
  }
  const values: Float32Array[] = [];
  for (const weight of [...weights, bias]) values.push(await weight.data<'float32'>());
  optimizer.dispose();
  tf.dispose([x, bias, ...weights]);
  await noErrors(backend);
  return { losses, values, peak: peakBytes / (LAYERS * SIZE * SIZE * 4) };
}

function matrix(seed: number): tf.Variable {
  return tf.tidy(() =>
    tf.variable(tf.mul(tf.tensor2d(noise(SIZE * SIZE, seed), [SIZE, SIZE]), 0.1)),
  );
}

test('updated in place during the backward pass: the same bits, no copy, one dispatch a weight', async () => {
  const keep = await trained('keep');
  const before = counts.dispatches;
  const release = await trained('release');
  expect(release.losses).toEqual(keep.losses);
  expect(release.values).toEqual(keep.values);
  expect(counts.dispatches - before).toBe(10 * (LAYERS + 1));
  expect(counts.copies).toBe(0);
  // Freed buffers wait for the next submission, of 15 dispatches.
  expect(keep.peak).toBeGreaterThan(4.3);
  expect(release.peak).toBeLessThan(3.7);
});
