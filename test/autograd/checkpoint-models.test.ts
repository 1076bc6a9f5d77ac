import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { checkpoint } from '#src/autograd/checkpoint.js';
import { adam } from '#src/optimizers/index.js';
import { lookahead } from '#src/lookahead/lookahead.js';
import { noise, onEveryEngine, valuesOf } from '../engines.js';

type Block = (x: tf.Tensor) => tf.Tensor;
type Wrap = (block: Block) => Block;
const WRAPS: Wrap[] = [(block) => block, (block) => checkpoint(block)];

const init = (seed: number) => tfl.initializers.glorotUniform({ seed });
const dense = (units: number, seed: number, more = {}) =>
  tfl.layers.dense({ units, kernelInitializer: init(seed), ...more });

/** Losses and all weights, moving averages too, of 4 steps; layers are called as in training. */
function trained(
  build: () => tfl.LayersModel[],
  x: tf.Tensor,
  wrap: Wrap,
  optimizer: tf.Optimizer,
) {
  const { random } = Math;
  let drawn = 0;
  Math.random = () => ((drawn += 1) * 0.6180339887) % 1;
  try {
    const models = build();
    const blocks = models.map((model) =>
      wrap((input) => model.apply(input, { training: true }) as tf.Tensor),
    );
    const loss = () =>
      tf.mean<tf.Scalar>(tf.square(blocks.reduce((input, block) => block(input), x)));
    const losses: number[] = [];
    let numTensors = 0;
    for (let i = 0; i < 4; i++) {
      const cost = optimizer.minimize(loss, true);
      losses.push(...valuesOf(cost!));
      cost?.dispose();
      if (i === 0) ({ numTensors } = tf.memory());
    }
    expect(tf.memory().numTensors).toBe(numTensors);
    const weights = models.flatMap((model) => model.getWeights().map(valuesOf));
    optimizer.dispose();
    for (const model of new Set(models)) model.dispose();
    tf.disposeVariables();
    return { losses, weights };
  } finally {
    Math.random = random;
  }
}

function isSame(build: () => tfl.LayersModel[], x: tf.Tensor): void {
  for (const gradients of ['keep', 'release'] as const) {
    const [plain, blocks] = WRAPS.map((wrap) => trained(build, x, wrap, adam({ gradients })));
    expect(blocks).toEqual(plain);
    expect(new Set(plain?.losses).size).toBe(4);
  }
  x.dispose();
}

onEveryEngine(() => {
  test('batch norm, whose averages move once a step, dropout without a seed, a frozen layer', () => {
    const build = () =>
      [1, 2, 3].map((seed) =>
        tfl.sequential({
          layers: [
            dense(6, seed, { inputShape: [6], activation: 'relu' }),
            tfl.layers.batchNormalization(),
            tfl.layers.dropout({ rate: 0.3 }),
            tfl.layers.gaussianNoise({ stddev: 0.1 }),
            dense(6, seed + 10, { trainable: seed !== 2, activation: 'tanh' }),
          ],
        }),
      );
    isSame(build, noise([8, 6], 1));
  });

  test('one model with batch norm in two blocks', () => {
    const build = () => {
      const model = tfl.sequential({
        layers: [dense(6, 1, { inputShape: [6] }), tfl.layers.batchNormalization(), dense(6, 2)],
      });
      return [model, model];
    };
    isSame(build, noise([8, 6], 1));
  });

  test('an LSTM with dropout', () => {
    const build = () => [
      tfl.sequential({
        layers: [
          tfl.layers.lstm({
            units: 4,
            inputShape: [5, 3],
            kernelInitializer: init(1),
            recurrentInitializer: init(2),
            dropout: 0.3,
            recurrentDropout: 0.2,
          }),
          dense(2, 3),
        ],
      }),
    ];
    isSame(build, noise([8, 5, 3], 1));
  });

  test('inside of a Lookahead with worker threads', async () => {
    const results: unknown[] = [];
    for (const wrap of WRAPS) {
      const weights = [1, 2].map((seed) => tf.tidy(() => tf.variable(noise([6, 6], seed))));
      const x = noise([4, 6], 3);
      const blocks = weights.map((w) => wrap((y) => tf.tanh(tf.matMul(y, w))));
      const loss = () => tf.mean<tf.Scalar>(tf.square(blocks.reduce((y, block) => block(y), x)));
      const optimizer = lookahead(adam({ gradients: 'release' }), { syncPeriod: 2 });
      for (let i = 0; i < 6; i++) await optimizer.step(loss);
      await optimizer.finish();
      results.push(weights.map(valuesOf));
      optimizer.dispose();
      tf.dispose([x, ...weights]);
    }
    expect(results[1]).toEqual(results[0]);
  });
});

// wasm has no gradient kernels for these.
test('a conv net and an embedding of int32 indices, on cpu', async () => {
  await tf.setBackend('cpu');
  const conv = () => [
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
        tfl.layers.flatten(),
        dense(2, 3, { activation: 'softmax' }),
      ],
    }),
  ];
  isSame(conv, noise([4, 8, 8, 1], 1));
  const embedding = () => [
    tfl.sequential({
      layers: [
        tfl.layers.embedding({
          inputDim: 9,
          outputDim: 4,
          inputLength: 5,
          embeddingsInitializer: init(1),
        }),
        tfl.layers.gru({ units: 3, kernelInitializer: init(2), recurrentInitializer: init(3) }),
      ],
    }),
  ];
  isSame(embedding, tf.randomUniform([8, 5], 0, 9, 'int32', 5));
});
