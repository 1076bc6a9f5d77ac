// Models of every kind train on wasm as on tfjs's cpu backend.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs';
import { startWasm, type WasmEngine } from 'slowlane/wasm';
import { afterAll, beforeAll, expect, test } from 'vitest';

let engine: WasmEngine;
beforeAll(async () => {
  engine = await startWasm();
});
afterAll(() => engine.stop());

let seed = 0;
const init = () => tf.initializers.glorotUniform({ seed: ++seed });
const I = () => ({ kernelInitializer: init() });
const R = () => ({ kernelInitializer: init(), recurrentInitializer: init() });
const img = [8, 8, 3];

function sequential(...layers: tf.layers.Layer[]): tf.Sequential {
  return tf.sequential({ layers });
}

const MODELS: Readonly<
  Record<string, () => readonly [shape: number[] | 'ids', model: tf.Sequential]>
> = {
  'conv2d, max-pooling': () => [
    img,
    sequential(
      tf.layers.conv2d({ inputShape: img, filters: 4, kernelSize: 3, activation: 'relu', ...I() }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'conv2d with strides, average pooling': () => [
    img,
    sequential(
      tf.layers.conv2d({
        inputShape: img,
        filters: 4,
        kernelSize: 3,
        strides: 2,
        padding: 'same',
        ...I(),
      }),
      tf.layers.averagePooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'conv2d, channels first': () => [
    [3, 8, 8],
    sequential(
      tf.layers.conv2d({
        inputShape: [3, 8, 8],
        dataFormat: 'channelsFirst',
        filters: 4,
        kernelSize: 3,
        ...I(),
      }),
      tf.layers.globalAveragePooling2d({ dataFormat: 'channelsFirst' }),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  conv2dTranspose: () => [
    img,
    sequential(
      tf.layers.conv2dTranspose({ inputShape: img, filters: 4, kernelSize: 3, strides: 2, ...I() }),
      tf.layers.globalMaxPooling2d({}),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  separableConv2d: () => [
    img,
    sequential(
      tf.layers.separableConv2d({
        inputShape: img,
        filters: 4,
        kernelSize: 3,
        depthMultiplier: 2,
        depthwiseInitializer: init(),
        pointwiseInitializer: init(),
      }),
      tf.layers.globalAveragePooling2d({}),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'depthwiseConv2d with strides': () => [
    img,
    sequential(
      tf.layers.depthwiseConv2d({
        inputShape: img,
        kernelSize: 3,
        strides: 2,
        padding: 'same',
        depthwiseInitializer: init(),
      }),
      tf.layers.globalAveragePooling2d({}),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  conv1d: () => [
    [10, 3],
    sequential(
      tf.layers.conv1d({ inputShape: [10, 3], filters: 4, kernelSize: 3, ...I() }),
      tf.layers.maxPooling1d({ poolSize: 2 }),
      tf.layers.globalAveragePooling1d({}),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'conv3d, max-pooling': () => [
    [6, 6, 6, 2],
    sequential(
      tf.layers.conv3d({ inputShape: [6, 6, 6, 2], filters: 3, kernelSize: 3, ...I() }),
      tf.layers.maxPooling3d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'conv3d, average pooling': () => [
    [6, 6, 6, 2],
    sequential(
      tf.layers.conv3d({ inputShape: [6, 6, 6, 2], filters: 3, kernelSize: 3, ...I() }),
      tf.layers.averagePooling3d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'batch normalization': () => [
    img,
    sequential(
      tf.layers.conv2d({ inputShape: img, filters: 4, kernelSize: 3, ...I() }),
      tf.layers.batchNormalization(),
      tf.layers.activation({ activation: 'relu' }),
      tf.layers.globalAveragePooling2d({}),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'layer normalization': () => [
    [10],
    sequential(
      tf.layers.dense({ inputShape: [10], units: 8, ...I() }),
      tf.layers.layerNormalization(),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  LSTM: () => [
    [6, 4],
    sequential(
      tf.layers.lstm({ inputShape: [6, 4], units: 5, ...R() }),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  GRU: () => [
    [6, 4],
    sequential(
      tf.layers.gru({ inputShape: [6, 4], units: 5, ...R() }),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'simple RNN': () => [
    [6, 4],
    sequential(
      tf.layers.simpleRNN({ inputShape: [6, 4], units: 5, ...R() }),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'bidirectional LSTM, time distributed': () => [
    [6, 4],
    sequential(
      tf.layers.bidirectional({
        inputShape: [6, 4],
        layer: tf.layers.lstm({ units: 5, returnSequences: true, ...R() }),
        mergeMode: 'concat',
      }),
      tf.layers.timeDistributed({ layer: tf.layers.dense({ units: 3, ...I() }) }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  convLstm2d: () => [
    [3, 8, 8, 2],
    sequential(
      tf.layers.convLstm2d({ inputShape: [3, 8, 8, 2], filters: 3, kernelSize: 3, ...R() }),
      tf.layers.globalAveragePooling2d({}),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  embedding: () => [
    'ids',
    sequential(
      tf.layers.embedding({
        inputDim: 12,
        outputDim: 5,
        inputLength: 6,
        embeddingsInitializer: init(),
      }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'masked embedding, LSTM': () => [
    'ids',
    sequential(
      tf.layers.embedding({
        inputDim: 12,
        outputDim: 5,
        inputLength: 6,
        maskZero: true,
        embeddingsInitializer: init(),
      }),
      tf.layers.lstm({ units: 5, ...R() }),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  activations: () => [
    [10],
    sequential(
      ...(
        [
          'elu',
          'relu6',
          'selu',
          'softplus',
          'softsign',
          'tanh',
          'sigmoid',
          'hardSigmoid',
          'linear',
          'swish',
          'mish',
          'gelu',
        ] as const
      ).map((activation, i) =>
        tf.layers.dense({ ...(i === 0 && { inputShape: [10] }), units: 6, activation, ...I() }),
      ),
      tf.layers.leakyReLU(),
      tf.layers.prelu(),
      tf.layers.elu(),
      tf.layers.dense({ units: 2, activation: 'softmax', ...I() }),
    ),
  ],
  'regularization, noise, dropout': () => [
    [10],
    sequential(
      tf.layers.dense({ inputShape: [10], units: 8, ...I(), kernelRegularizer: 'l1l2' }),
      tf.layers.gaussianNoise({ stddev: 0 }),
      tf.layers.dropout({ rate: 0 }),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'upsampling, padding, cropping': () => [
    img,
    sequential(
      tf.layers.upSampling2d({ inputShape: img, size: [2, 2] }),
      tf.layers.conv2d({ filters: 2, kernelSize: 3, ...I() }),
      tf.layers.zeroPadding2d({ padding: 1 }),
      tf.layers.cropping2D({
        cropping: [
          [1, 1],
          [1, 1],
        ],
      }),
      tf.layers.globalAveragePooling2d({}),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
  'bilinear upsampling': () => [
    img,
    sequential(
      tf.layers.conv2d({ inputShape: img, filters: 2, kernelSize: 1, ...I() }),
      tf.layers.upSampling2d({ size: [2, 2], interpolation: 'bilinear' }),
      tf.layers.globalAveragePooling2d({}),
      tf.layers.dense({ units: 2, ...I() }),
    ),
  ],
};

async function lossesOn(backend: string, name: string): Promise<unknown[]> {
  await tf.setBackend(backend);
  seed = 0;
  const [shape, model] = MODELS[name]?.() ?? [[], tf.sequential()];
  const x =
    shape === 'ids'
      ? tf.tensor2d(
          Array.from({ length: 48 }, (_, i) => (i * 7) % 12),
          [8, 6],
        )
      : tf.randomNormal([8, ...shape], 0, 1, 'float32', 3);
  const y = tf.randomNormal([8, 2], 0, 1, 'float32', 4);
  model.compile({ optimizer: tf.train.sgd(0.02), loss: 'meanSquaredError' });
  const fit = () => model.fit(x, y, { epochs: 2, batchSize: 4, shuffle: false, verbose: 0 });
  const { history } = await fit();
  const before = tf.memory().numTensors;
  await fit();
  expect(tf.memory().numTensors).toBe(before);
  model.dispose();
  tf.dispose([x, y]);
  return history['loss'] ?? [];
}

test.each(Object.keys(MODELS))('%s', async (name) => {
  const cpu = await lossesOn('cpu', name);
  const wasm = await lossesOn('wasm', name);
  expect(wasm).toHaveLength(2);
  for (const [i, loss] of wasm.entries()) {
    expect(Math.abs(Number(loss) / Number(cpu[i]) - 1)).toBeLessThan(1e-5);
  }
});
