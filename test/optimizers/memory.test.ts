import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { adagrad, adam, adamw, lion, momentum, rmsprop, sgd } from '#src/optimizers/index.js';
import { noise, onEveryEngine } from '../engines.js';

const SIZE = 256;

/** Bytes of one step on a stack of dense layers, over those of the weights: peak, and at its last op. */
async function bytesOf(
  optimizer: tf.Optimizer,
  layers: number,
): Promise<{ peak: number; last: number }> {
  const weights = Array.from({ length: layers }, (_, i) =>
    tf.tidy(() => tf.variable(tf.mul(noise([SIZE, SIZE], i + 1), 0.1))),
  );
  const x = noise([32, SIZE], 99);
  const loss = () => {
    let y: tf.Tensor = x;
    for (const weight of weights) y = tf.relu(tf.matMul(y, weight));
    return tf.mean<tf.Scalar>(tf.square(y));
  };
  const { peakBytes, kernels } = await tf.profile(() => {
    optimizer.minimize(loss, false, weights); // the first step, in which the slots are made
  });
  tf.dispose([x, ...weights]);
  optimizer.dispose();
  const weightBytes = layers * SIZE * SIZE * 4;
  const last = kernels.at(-1)?.totalBytesSnapshot ?? NaN;
  return { peak: peakBytes / weightBytes, last: last / weightBytes };
}

onEveryEngine(() => {
  // Weights, gradients and two slots are 4, temporaries up to 3 of one weight. (The promise is 6.)
  test.each([
    [8, 4 + 3 / 8],
    [4, 4 + 3 / 4],
  ])('a step of Adam on %i layers needs at most %f times the weights', async (layers, limit) => {
    tf.disposeVariables();
    expect((await bytesOf(adam(), layers)).peak).toBeLessThan(limit + 0.05);
    expect((await bytesOf(adam({ clipNorm: 1 }), layers)).peak).toBeLessThan(limit + 0.05);
    expect((await bytesOf(tf.train.adam(), layers)).peak).toBeGreaterThan(12); // to compare
  });

  test('each gradient is freed with its weight: at the end of a step one of eight is left', async () => {
    tf.disposeVariables();
    expect((await bytesOf(adam(), 8)).last).toBeLessThan(3 + 3 / 8 + 0.05);
  });

  test.each([
    ['sgd', 3.6, () => sgd()], // the backward pass, in which tf.profile counts saved weights twice
    ['momentum', 4, () => momentum({ nesterov: true })],
    ['rmsprop', 4, () => rmsprop()],
    ['adagrad', 4, () => adagrad()],
    ['lion', 4, () => lion()],
    ['adamw', 5, () => adamw()],
  ])('%s on 8 layers needs at most %f times the weights', async (_, limit, make) => {
    tf.disposeVariables();
    expect((await bytesOf(make(), 8)).peak).toBeLessThanOrEqual(limit);
  });
});
