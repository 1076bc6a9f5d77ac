import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { type FitCallbacks, lookahead } from 'slowlane';
import { type StepOptions, adam } from '#src/optimizers/index.js';
import { noise, onEveryEngine, valuesOf } from '../engines.js';

type Build = () => tfl.LayersModel;
type Data = () => { xs: tf.Tensor; ys: tf.Tensor | tf.Tensor[] };

const byAdam = (options: StepOptions): tf.Optimizer => adam({ learningRate: 0.01, ...options });
const init = (seed: number) => tfl.initializers.glorotUniform({ seed });
const dense = (units: number, seed: number, more = {}) =>
  tfl.layers.dense({ units, kernelInitializer: init(seed), ...more });

/** Three epochs of four batches: the losses and metrics, and all weights, frozen and moving ones too. */
async function fitted(
  build: Build,
  data: Data,
  optimizer: tf.Optimizer,
  callbacks: FitCallbacks = [],
): Promise<{ history: unknown; weights: number[][] }> {
  const model = build();
  const { xs, ys } = data();
  model.compile({
    optimizer,
    loss: 'meanSquaredError',
    metrics: ['mse', 'cosine'],
  });
  const options = { epochs: 3, batchSize: 8, shuffle: false, verbose: 0 as const, callbacks };
  const { history } = await model.fit(xs, ys, { ...options, epochs: 1 });
  const between = tf.memory().numTensors;
  const more = await model.fit(xs, ys, options);
  expect(tf.memory().numTensors).toBe(between);
  const weights = model.getWeights().map(valuesOf);
  optimizer.dispose();
  model.dispose();
  tf.dispose([xs, ys]);
  tf.disposeVariables();
  // The names in the history count up with each model.
  return { history: [history, more.history].map(Object.values), weights };
}

async function isSame(build: Build, data: Data): Promise<void> {
  const keep = await fitted(build, data, byAdam({ gradients: 'keep' }));
  const release = await fitted(build, data, byAdam({ gradients: 'release' }));
  expect(release).toEqual(keep);
}

const rows: Data = () => ({ xs: noise([32, 6], 1), ys: noise([32, 2], 2) });

onEveryEngine(() => {
  test('batch norm, dropout with a seed, a regularizer, a frozen layer, metrics', async () => {
    const build = () =>
      tfl.sequential({
        layers: [
          dense(8, 1, { inputShape: [6], activation: 'relu' }),
          tfl.layers.batchNormalization(),
          tfl.layers.dropout({ rate: 0.3, seed: 7 }),
          dense(8, 2, { trainable: false, activation: 'tanh' }),
          dense(8, 3, { kernelRegularizer: tfl.regularizers.l2({ l2: 0.01 }) }),
          dense(2, 4),
        ],
      });
    await isSame(build, rows);
  });

  test('two outputs, a shared layer, weights that only one output uses', async () => {
    const build = () => {
      const input = tfl.input({ shape: [6] });
      const shared = dense(6, 1, { activation: 'sigmoid' });
      const body = shared.apply(shared.apply(input)) as tfl.SymbolicTensor;
      const outputs = [dense(2, 2).apply(body), dense(3, 3).apply(body)] as tfl.SymbolicTensor[];
      return tfl.model({ inputs: input, outputs });
    };
    await isSame(build, () => ({
      xs: noise([32, 6], 1),
      ys: [noise([32, 2], 2), noise([32, 3], 3)],
    }));
  });

  test('an LSTM', async () => {
    const build = () =>
      tfl.sequential({
        layers: [
          tfl.layers.lstm({
            units: 4,
            inputShape: [5, 3],
            kernelInitializer: init(1),
            recurrentInitializer: init(2),
            dropout: 0,
          }),
          dense(2, 3),
        ],
      });
    await isSame(build, () => ({ xs: noise([32, 5, 3], 1), ys: noise([32, 2], 2) }));
  });

  test('inside of a Lookahead, with its callbacks', async () => {
    const build = () => tfl.sequential({ layers: [dense(8, 1, { inputShape: [6] }), dense(2, 2)] });
    const results = [];
    for (const gradients of ['keep', 'release'] as const) {
      const optimizer = lookahead(byAdam({ gradients }), { syncPeriod: 3 });
      results.push(await fitted(build, rows, optimizer, optimizer.callbacks()));
    }
    expect(results[1]).toEqual(results[0]);
  });

  test('fitDataset', async () => {
    const results = [];
    for (const gradients of ['keep', 'release'] as const) {
      const model = tfl.sequential({ layers: [dense(8, 1, { inputShape: [6] }), dense(2, 2)] });
      model.compile({ optimizer: byAdam({ gradients }), loss: 'meanSquaredError' });
      const { history } = await model.fitDataset(batches() as never, { epochs: 1, verbose: 0 });
      const before = tf.memory().numTensors;
      const more = await model.fitDataset(batches() as never, { epochs: 3, verbose: 0 });
      expect(tf.memory().numTensors).toBe(before);
      results.push([history, more.history, model.getWeights().map(valuesOf)]);
      model.optimizer.dispose();
      model.dispose();
      tf.disposeVariables();
    }
    expect(results[1]).toEqual(results[0]);
  });
});

// wasm has no gradient kernels for these.
test('a conv net and an embedding, on cpu', async () => {
  await tf.setBackend('cpu');
  const conv = () =>
    tfl.sequential({
      layers: [
        tfl.layers.conv2d({
          filters: 3,
          kernelSize: 3,
          inputShape: [8, 8, 1],
          activation: 'relu',
          kernelInitializer: init(1),
        }),
        tfl.layers.batchNormalization(),
        tfl.layers.maxPooling2d({ poolSize: 2 }),
        tfl.layers.depthwiseConv2d({ kernelSize: 2, depthwiseInitializer: init(2) }),
        tfl.layers.flatten(),
        dense(2, 3, { activation: 'softmax' }),
      ],
    });
  await isSame(conv, () => ({ xs: noise([32, 8, 8, 1], 1), ys: noise([32, 2], 2) }));

  const embedding = () =>
    tfl.sequential({
      layers: [
        tfl.layers.embedding({
          inputDim: 9,
          outputDim: 4,
          inputLength: 5,
          embeddingsInitializer: init(1),
        }),
        tfl.layers.gru({ units: 3, kernelInitializer: init(2), recurrentInitializer: init(3) }),
        dense(2, 4),
      ],
    });
  await isSame(embedding, () => ({
    xs: tf.randomUniform([32, 5], 0, 9, 'int32', 5),
    ys: noise([32, 2], 2),
  }));
});

/** Four batches, anew in each epoch, as tf.data gives them. */
function batches(): object {
  const iterator = () => {
    let n = 0;
    const next = () => {
      n += 1;
      if (n > 4) return Promise.resolve({ done: true, value: null });
      return Promise.resolve({
        done: false,
        value: { xs: noise([8, 6], n), ys: noise([8, 2], n + 10) },
      });
    };
    return Promise.resolve({ next });
  };
  return { size: 4, iterator };
}
