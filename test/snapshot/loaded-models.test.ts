// model.save and loadLayersModel, and training goes on: names and shapes are those that were saved, so that the state
// finds its weights whatever was frozen and whichever other models there were.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, lookahead } from 'slowlane';
import { beforeAll, expect, test } from 'vitest';

import '../engines.js';
import { valuesOf } from '../engines.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const layer = (seed: number, prefix = '') =>
  tfl.layers.dense({
    units: 2,
    kernelInitializer: tfl.initializers.glorotNormal({ seed }),
    ...(prefix === '' ? {} : { name: `${prefix}${seed}` }),
  });

/** A functional model, whose frozen variables say that they are frozen, or a Sequential, whose do not. */
function makeModel(isFlat: boolean, prefix = ''): tfl.LayersModel {
  if (isFlat) {
    const first = tfl.layers.inputLayer({ inputShape: [2] });
    return tfl.sequential({ layers: [first, ...[1, 2, 3].map((i) => layer(i, prefix))] });
  }
  const inputs = tfl.input({ shape: [2] });
  const apply = (x: tfl.SymbolicTensor, seed: number) =>
    layer(seed, prefix).apply(x) as tfl.SymbolicTensor;
  return tfl.model({ inputs, outputs: [1, 2, 3].reduce(apply, inputs) });
}

const compile = (model: tfl.LayersModel, optimizer: tf.Optimizer) =>
  model.compile({ optimizer, loss: 'meanSquaredError' });

async function fit(model: tfl.LayersModel, epochs: number): Promise<void> {
  const x = tf.tensor2d([1, 2, 3, -1, 0, 1, 2, 2], [4, 2]);
  const optimizer = model.optimizer as unknown as { callbacks(): tfl.CustomCallbackArgs[] };
  const callbacks = optimizer.callbacks();
  await model.fit(x, x, { epochs, batchSize: 2, shuffle: false, verbose: 0, callbacks });
}

async function saved(model: tfl.LayersModel): Promise<tf.io.ModelArtifacts> {
  let artifacts: tf.io.ModelArtifacts | null = null;
  const handler = tf.io.withSaveHandler((given) => {
    artifacts = given;
    return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(given) });
  });
  await model.save(handler, { includeOptimizer: true });
  return artifacts as unknown as tf.io.ModelArtifacts;
}

const valuesIn = (model: tfl.LayersModel) =>
  model.getWeights().map((w) => valuesOf(w as tf.Variable));

const k = { syncPeriod: 3, workers: 0 } as const;
const optimizers: Record<string, () => tf.Optimizer> = {
  'adam()': () => adam({ learningRate: 0.01 }),
  'lookahead(adam())': () => lookahead(adam({ learningRate: 0.01 }), k),
  'lookahead(tf.train.adam())': () => lookahead(tf.train.adam(0.01), k),
  'lookahead(tf.train.momentum())': () => lookahead(tf.train.momentum(0.01, 0.9), k),
  'lookahead(tf.train.rmsprop())': () => lookahead(tf.train.rmsprop(0.01), k),
};
const cases = Object.keys(optimizers).flatMap((name) =>
  [false, true].flatMap((isFlat) =>
    (
      [
        'alone',
        'alone, layers named',
        'another model before',
        'another model in both processes',
      ] as const
    ).map((others) => ({ name, isFlat, others })),
  ),
);

test.each(cases)(
  '$name, flat: $isFlat, a layer frozen after training, $others: fit() goes on to the bit',
  async ({ name, isFlat, others }) => {
    tf.disposeVariables();
    if (others.startsWith('another')) makeModel(isFlat);
    const model = makeModel(isFlat, others === 'alone, layers named' ? 'given' : '');
    compile(model, optimizers[name]?.() as tf.Optimizer);
    await fit(model, 2);
    (model.layers[2] as tfl.layers.Layer).trainable = false;
    compile(model, model.optimizer);
    await fit(model, 2);
    const artifacts = await saved(model);
    await fit(model, 2);
    const expected = valuesIn(model);
    if (others !== 'another model in both processes') tf.disposeVariables(); // as in a new process
    const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
    (loaded.layers[2] as tfl.layers.Layer).trainable = false;
    compile(loaded, loaded.optimizer);
    await fit(loaded, 2);
    expect(valuesIn(loaded)).toEqual(expected);
  },
);
