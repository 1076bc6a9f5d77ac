// What the benchmarks train, on tfjs's own backends.

import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';

import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';

import { makeWorkload } from '#src/measure/workloads/make-workload.js';
import { WORKLOAD_NAMES, type WorkloadName } from '#src/measure/workloads/policies.js';

const DEVICE = { finished: async () => {}, upload: async () => {} };
const CLASSES: Partial<Record<WorkloadName, number>> = {
  mlp: 10,
  cnn: 10,
  lstm: 10,
  transformer: 83,
};

test.each(WORKLOAD_NAMES)('%s: the same batch and weights each time', async (model) => {
  tf.enableProdMode(); // else the cpu backend advertises another
  await tf.setBackend(model === 'cnn' ? 'cpu' : 'wasm');
  const size = model === 'stack' ? { layers: 2, width: 8 } : { layers: null, width: null };
  const losses: number[] = [];
  for (let i = 0; i < 2; i++) {
    const { weights, loss, parameters } = await makeWorkload(DEVICE, { model, batch: 3, ...size });
    expect(parameters).toBe(weights.reduce((sum, weight) => sum + weight.size, 0));
    losses.push(tf.tidy(() => loss().dataSync()[0] ?? NaN));
    tf.disposeVariables();
  }
  expect(losses[1]).toBe(losses[0]);
  // At first all classes are alike.
  const classes = CLASSES[model];
  if (classes !== undefined)
    expect(Math.abs((losses[0] ?? NaN) - Math.log(classes))).toBeLessThan(1);
});
