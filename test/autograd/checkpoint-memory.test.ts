import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkpoint } from '#src/autograd/checkpoint.js';
import { sgd } from '#src/optimizers/index.js';
import { noise } from '../engines.js';
import { peakBytesOf } from '../optimizers/watched-data.js';

const LAYERS = 16;
const SIZE = 32;
const BATCH = 512;
/** Bytes of one activation; a weight has 1/16 of them. */
const ACTIVATION = BATCH * SIZE * 4;

/** Peak of the second step in activations. */
function peak(gradients: 'keep' | 'release', perBlock: number | null): number {
  const weights = Array.from({ length: LAYERS }, (_, i) =>
    tf.tidy(() => tf.variable(tf.mul(noise([SIZE, SIZE], i + 1), 0.2))),
  );
  const x = noise([BATCH, SIZE], 99);
  const block = (start: number, length: number) => (given: tf.Tensor) =>
    weights.slice(start, start + length).reduce((y, w) => tf.relu(tf.matMul(y, w)), given);
  const blocks: ((y: tf.Tensor) => tf.Tensor)[] = [];
  if (perBlock === null) blocks.push(block(0, LAYERS));
  else {
    for (let i = 0; i < LAYERS; i += perBlock) blocks.push(checkpoint(block(i, perBlock)));
  }
  const model = (given: tf.Tensor) => blocks.reduce((y, layer) => layer(y), given);
  const optimizer = sgd({ gradients });
  const step = () => {
    optimizer.minimize(() => tf.mean<tf.Scalar>(tf.square(model(x))));
  };
  step();
  const bytes = peakBytesOf(step);
  tf.dispose([x, ...weights]);
  optimizer.dispose();
  return bytes / ACTIVATION;
}

describe('data on cpu, in activations, of 16 layers with two each', () => {
  beforeAll(() => tf.setBackend('cpu'));
  beforeEach(() => tf.disposeVariables());

  test('without blocks all 2·16 are there when the loss, its square and its gradient are', () => {
    const [release, keep] = [peak('release', null), peak('keep', null)];
    expect(release).toBeGreaterThan(32);
    expect(release).toBeLessThan(36.1);
    expect(keep).toBeGreaterThan(64); // their gradients, too
  });

  // The outputs of all 16/k blocks, or their gradients; 2·k inside of the one that is walked; one more.
  test.each([2, 4, 8, 16])('in blocks of %d layers: 16/k + 2·k + 1', (k) => {
    const predicted = 16 / k + 2 * k + 1;
    const release = peak('release', k);
    expect(release).toBeGreaterThan(predicted - 1);
    expect(release).toBeLessThan(predicted + 0.1);
  });

  test('with gradients kept, blocks of 4 need less than a third', () => {
    expect(3 * peak('keep', 4)).toBeLessThan(peak('keep', null));
  });
});
