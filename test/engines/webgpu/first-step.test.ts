// The first step, in which slow weights begin, takes no more of the device than the later ones, whatever call takes it:
// 4 dense layers of 256 × 256, 1 MiB of weights.

import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { adam, type Lookahead, lookahead, plan } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { noise } from '../../engines.js';
import { denseModel } from './dense-model.js';
import { BufferCount, describeWebGPU, start } from './engine.js';

const LAYERS = 4;
const WIDTH = 256;
const BATCH = 8;
const PARAMETERS = LAYERS * WIDTH * WIDTH;
/** A sync, and a step after it. */
const STEPS = 3;
const TIMEOUT_MS = 300_000;

interface Trained {
  readonly model: tfl.Sequential;
  readonly optimizer: Lookahead;
  readonly weights: tf.Variable[];
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
  readonly loss: () => tf.Scalar;
}

/** Takes a step, and the sync if one is due. */
type TakeStep = (trained: Trained) => Promise<unknown>;

const CALLS: Record<string, TakeStep> = {
  'step(f, false, weights)': ({ optimizer, loss, weights }) => optimizer.step(loss, false, weights),
  'step(f)': ({ optimizer, loss }) => optimizer.step(loss),
  'minimize(f)': async ({ optimizer, loss }) => {
    optimizer.minimize(loss);
    await optimizer.sync();
  },
  applyGradients: async ({ optimizer, loss, weights }) => {
    const { value, grads } = tf.variableGrads(loss, weights);
    optimizer.applyGradients(grads);
    tf.dispose([value, grads]);
    await optimizer.sync();
  },
  trainOnBatch: async ({ model, optimizer, x, y }) => {
    await model.trainOnBatch(x, y);
    await optimizer.sync();
  },
  fit: ({ model, optimizer, x, y }) =>
    model.fit(x, y, { batchSize: BATCH, verbose: 0, callbacks: optimizer.callbacks() }),
};

const makeModel = () => denseModel({ layers: LAYERS, width: WIDTH });

function trainedBy(optimizer: Lookahead): Trained {
  const model = makeModel();
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const [x, y] = [noise([BATCH, WIDTH], 11), noise([BATCH, WIDTH], 12)];
  const loss = () => tf.mean<tf.Scalar>(tf.square(tf.sub(model.apply(x) as tf.Tensor, y)));
  const weights = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  return { model, optimizer, weights, x, y, loss };
}

/** Bytes a parameter at most, step by step. */
async function peaks(takeStep: TakeStep, optimizer: () => Lookahead): Promise<number[]> {
  const engine = await start();
  const count = new BufferCount(engine.backend.device).withoutHostBuffers(engine.backend);
  const trained = trainedBy(optimizer());
  const found: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    count.peakBytes = count.bytes;
    await takeStep(trained);
    await engine.backend.device.queue.onSubmittedWorkDone();
    found.push(count.peakBytes / PARAMETERS);
  }
  trained.optimizer.dispose();
  return found;
}

describe('the first step', () => {
  describeWebGPU(() => {
    const released = () => adam({ gradients: 'release', moments: 'device:q8' });
    test.each([
      ...Object.entries(CALLS).map(([call, takeStep]) => [call, takeStep, released] as const),
      ['step(f), gradients kept', CALLS['step(f)'] as TakeStep, () => adam()] as const,
    ])(
      '%s',
      async (call, takeStep, inner) => {
        const found = await peaks(takeStep, () => lookahead(inner(), { syncPeriod: 2 }));
        console.info(`${call}: ${found.map((bytes) => bytes.toFixed(2)).join(' ')}`);
        const [first = NaN, ...later] = found;
        expect(first).toBeLessThanOrEqual(Math.max(...later));
      },
      TIMEOUT_MS,
    );

    test(
      'step(f) trains in the budget that the plan says is needed, from the first step on',
      async () => {
        await tf.setBackend('cpu');
        const policy = { gradients: 'release', moments: 'device:q8', slow: 'host:f32' } as const;
        const sizes = { batchSize: BATCH, syncPeriod: 2, vramBudget: '1GiB' };
        const [planned] = plan({ model: makeModel(), ...sizes, ...policy }).policies;
        const vramBudget = Math.floor(1.05 * (planned?.neededDeviceBytes ?? NaN));
        const engine = await start({ vramBudget });
        const { gradients, moments, slow } = policy;
        const { optimizer, loss } = trainedBy(
          lookahead(adam({ gradients, moments }), { slow, syncPeriod: 2 }),
        );
        for (let step = 0; step < STEPS; step++) await optimizer.step(loss);
        expect(engine.memory().peakBytes).toBeLessThanOrEqual(vramBudget);
        optimizer.dispose();
      },
      TIMEOUT_MS,
    );
  });
});
