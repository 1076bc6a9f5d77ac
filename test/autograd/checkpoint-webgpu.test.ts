import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { checkpoint } from '#src/autograd/checkpoint.js';
import { adam, sgd } from '#src/optimizers/index.js';
import { VramBudgetError } from '#src/engines/webgpu/memory/vram-budget-error.js';
import { noise } from '../engines.js';
import { describeWebGPU, errorOf, start } from '../engines/webgpu/engine.js';

type Gradients = 'keep' | 'release';

const LAYERS = 16;
const SIZE = 32;
const BATCH = 512;
/** Bytes of one activation; a weight has 1/16 of them, and Adam's state 2/16. */
const ACTIVATION = BATCH * SIZE * 4;

function stack(perBlock: number | null, rate: number) {
  const weights = Array.from({ length: LAYERS }, (_, i) =>
    tf.tidy(() => tf.variable(tf.mul(noise([SIZE, SIZE], i + 1), 0.2), true, `w${i}`)),
  );
  const x = noise([BATCH, SIZE], 99);
  const block = (start: number, length: number) => (given: tf.Tensor) =>
    weights
      .slice(start, start + length)
      .reduce((y, w) => tf.relu(tf.matMul(y, w)), tf.dropout(given, rate, undefined, 3));
  const blocks: ((y: tf.Tensor) => tf.Tensor)[] = [];
  const length = perBlock ?? 4;
  for (let i = 0; i < LAYERS; i += length) {
    const layers = block(i, length);
    blocks.push(perBlock === null ? layers : checkpoint(layers));
  }
  const loss = () => tf.mean<tf.Scalar>(tf.square(blocks.reduce((y, layer) => layer(y), x)));
  return { weights, x, loss };
}

/** Losses and weights of two steps, and the peak of the device over an activation. */
async function trained(gradients: Gradients, perBlock: number | null, rate = 0) {
  const { memory, stop } = await start();
  const { weights, x, loss } = stack(perBlock, rate);
  const optimizer = adam({ gradients });
  const numbers: number[] = [];
  let numTensors = 0;
  for (let i = 0; i < 2; i++) {
    const cost = optimizer.minimize(loss, true);
    numbers.push(...(await cost!.data()));
    cost?.dispose();
    if (i === 0) ({ numTensors } = tf.memory());
  }
  expect(tf.memory().numTensors).toBe(numTensors);
  const { peakBytes } = memory();
  for (const weight of weights) numbers.push(...(await weight.data()));
  optimizer.dispose();
  tf.dispose([x, ...weights]);
  stop();
  return { numbers, peak: peakBytes / ACTIVATION };
}

describeWebGPU(() => {
  test('the same bits, with dropout, gradients kept or released', async () => {
    const plain = await trained('keep', null, 0.1);
    for (const gradients of ['keep', 'release'] as const) {
      expect((await trained(gradients, 4, 0.1)).numbers).toEqual(plain.numbers);
    }
    expect(plain.numbers[1]).not.toBe(plain.numbers[0]);
  });

  // As on cpu: 16/4 + 2·4 + 1 activations instead of 2·16 and up to 4 for the loss. In both: x, the weights
  // and Adam's two slots are 1 + 16·3/16 more, and buffers are freed with the next submission.
  test('17 activations instead of 40 when each op is submitted, half when 15 are', async () => {
    const submitted = 'WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE';
    const usual = tf.env().getNumber(submitted);
    tf.env().set(submitted, 1);
    try {
      const blocks = (await trained('release', 4)).peak;
      expect(blocks).toBeGreaterThan(16);
      expect(blocks).toBeLessThan(17.5);
      expect((await trained('release', null)).peak).toBeGreaterThan(39);
    } finally {
      tf.env().set(submitted, usual);
    }
    expect(2 * (await trained('keep', 4)).peak).toBeLessThan((await trained('keep', null)).peak);
  });

  test.each(['keep', 'release'] as const)(
    'out of memory while a block runs again, gradients: %s: nothing stays and the next step works',
    async (gradients) => {
      const { memory } = await start({ vramBudget: '6MiB' });
      const [w, x] = [tf.tidy(() => tf.variable(noise([SIZE, SIZE], 1))), noise([BATCH, SIZE], 2)];
      let runs = 0;
      const layer = checkpoint((y: tf.Tensor) => tf.relu(tf.matMul(y, w)));
      const block = checkpoint((y: tf.Tensor) => {
        const z = layer(layer(y));
        runs += 1;
        return runs === 4 ? tf.add(z, tf.ones([128, BATCH, SIZE])) : z;
      });
      const optimizer = sgd({ gradients });
      const step = () => {
        tf.tidy(() => {
          optimizer.minimize(() => tf.mean<tf.Scalar>(tf.square(layer(block(layer(x))))), false, [
            w,
          ]);
        });
      };
      step();
      await w.data(); // what was disposed is freed with the next submission
      const { numTensors } = tf.memory();
      const { usedBytes } = memory();
      expect(await errorOf(step)).toBeInstanceOf(VramBudgetError);
      expect(runs).toBe(4);
      expect(tf.memory().numTensors).toBe(numTensors);
      for (let i = 0; i < 2; i++) step();
      await w.data();
      expect(tf.memory().numTensors).toBe(numTensors);
      expect(memory().usedBytes).toBe(usedBytes);
      tf.dispose([w, x]);
    },
  );
});
