// Trains for some steps and prints the weights; run by state.test.ts as a process of its own.
//   resume.ts FOLDER STEPS [save | load]

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';

import { moduleAt } from '../built.js';

const { adam, lookahead } = (await import(moduleAt('src/index.js'))) as typeof import('slowlane');

const [, , folder = '', steps, action] = process.argv;
const file = join(folder, 'state.json');
await tf.setBackend('cpu');

const weights = [3, 4].map((size) => tf.variable(tf.randomNormal([size], 0, 1, 'float32', size)));
const loss = () => tf.addN(weights.map((w) => tf.sum(tf.square(w)))) as tf.Scalar;
const optimizer = lookahead(adam({ learningRate: 0.1 }), {
  syncPeriod: 3,
  innerState: 'interpolate',
});

interface Saved {
  weights: number[][];
  state: { name: string; shape: number[]; dtype: 'float32' | 'int32'; values: number[] }[];
}

if (action === 'load') {
  const saved = JSON.parse(readFileSync(file, 'utf8')) as Saved;
  weights.forEach((weight, i) => weight.assign(tf.tensor1d(saved.weights[i] as number[])));
  await optimizer.setWeights(
    saved.state.map(({ name, values, shape, dtype }) => ({
      name,
      tensor: tf.tensor(values, shape, dtype),
    })),
  );
}
for (let i = 0; i < Number(steps); i++) await optimizer.step(loss, false, weights);
const values = weights.map((weight) => [...weight.dataSync()]);
if (action === 'save') {
  const state = (await optimizer.getWeights()).map(({ name, tensor }) => ({
    name,
    shape: tensor.shape,
    dtype: tensor.dtype,
    values: [...tensor.dataSync()],
  }));
  writeFileSync(file, JSON.stringify({ weights: values, state }));
}
console.log(JSON.stringify(values));
