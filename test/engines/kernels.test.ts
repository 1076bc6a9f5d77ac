// What README says of engines: wasm trains neither convolutions nor embeddings, the others train both.

import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-backend-webgpu';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';

import { lookahead, sgd } from 'slowlane';

/** Of the gradients of a convolution and of a lookup in a table. */
const KERNELS = ['Conv2DBackpropFilter', 'UnsortedSegmentSum'];

test.each([
  ['cpu', true],
  ['webgpu', true],
  ['wasm', false],
])('%s has the kernels of both gradients: %s', (engine, has) => {
  const found = KERNELS.map((name) => tf.getKernel(name, engine) !== undefined);
  expect(found).toEqual([has, has]);
});

test.each([
  ['cpu', null],
  ['wasm', /UnsortedSegmentSum.* not registered/],
])('an embedding trains on cpu and throws on wasm: %s', async (engine, error) => {
  await tf.setBackend(engine);
  const table = tfl.layers.embedding({ inputDim: 4, outputDim: 2, inputLength: 3 });
  const model = tfl.sequential({ layers: [table, tfl.layers.flatten()] });
  const optimizer = lookahead(sgd({ learningRate: 0.1 }), { workers: 0 });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const trained = model.fit(tf.zeros([2, 3]), tf.ones([2, 6]), { verbose: 0 });
  if (error === null) await trained;
  else await expect(trained).rejects.toThrow(error);
});
