// A Lookahead that plans by itself, on an engine whose budget is hard: 4 dense layers of 256 × 256, 1 MiB of
// weights.

import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { adam, type Lookahead, lookahead, plan } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { VramBudgetError } from '#src/engines/webgpu/index.js';

import { noise } from '../../engines.js';
import { denseModel } from './dense-model.js';
import { describeWebGPU, errorOf, start } from './engine.js';

const WIDTH = 256;
const BATCH = 8;
const SYNC_PERIOD = 2;
const TIMEOUT_MS = 600_000;

const makeModel = () => denseModel({ layers: 4, width: WIDTH });

/** Two cycles; the first and the last loss. */
async function train(model: tfl.Sequential, optimizer: Lookahead): Promise<[number, number]> {
  const [x, y] = [noise([BATCH, WIDTH], 11), noise([BATCH, WIDTH], 12)];
  const loss = () => tf.mean<tf.Scalar>(tf.square(tf.sub(model.apply(x) as tf.Tensor, y)));
  await optimizer.attach(model);
  const weights = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const losses: number[] = [];
  for (let step = 0; step < 2 * SYNC_PERIOD; step++) {
    const cost = await optimizer.step(loss, true, weights);
    losses.push((await cost?.data<'float32'>())?.[0] ?? NaN);
    cost?.dispose();
  }
  return [losses[0] ?? NaN, losses.at(-1) ?? NaN];
}

describe('on the engine', () => {
  describeWebGPU(tests);
});

function tests(): void {
  const options = { syncPeriod: SYNC_PERIOD, batchSize: BATCH } as const;

  test.each([
    ['release', 'device:q8'],
    ['release', 'host:q8'],
  ] as const)(
    "gradients %s, moments %s train where the default doesn't fit",
    async (gradients, moments) => {
      await tf.setBackend('cpu');
      const sized = {
        ...options,
        vramBudget: '1GiB',
        gradients,
        moments,
        slow: 'host:f16',
      } as const;
      const [needs] = plan({ model: makeModel(), ...sized }).policies;
      const vramBudget = Math.floor((needs?.neededDeviceBytes ?? 0) * 1.05);

      let engine = await start({ vramBudget });
      const fixed = lookahead(adam(), { syncPeriod: SYNC_PERIOD, slow: 'host:f16' });
      const error = await errorOf(() => train(makeModel(), fixed));
      expect(error).toBeInstanceOf(VramBudgetError);
      fixed.dispose();
      tf.disposeVariables();
      engine.stop();

      engine = await start({ vramBudget });
      const optimizer = lookahead(adam({ learningRate: 1e-3 }), { ...options, vramBudget: 'auto' });
      const [first, last] = await train(makeModel(), optimizer);
      expect(optimizer.plan?.vramBudgetBytes).toBe(vramBudget);
      expect(optimizer.plan?.pick?.policy).toEqual({ gradients, moments, slow: 'host:f16' });
      const { peakBytes } = engine.memory();
      console.info(`${moments}: peak ${peakBytes} of ${vramBudget}`);
      expect(peakBytes).toBeLessThanOrEqual(vramBudget);
      expect(last).toBeLessThan(first);
      optimizer.dispose();
    },
    TIMEOUT_MS,
  );

  test(
    'nothing fits: said before anything is allocated; a smaller hard budget counts',
    async () => {
      const engine = await start({ vramBudget: '1500KiB' });
      const model = makeModel();
      const optimizer = lookahead(adam(), { ...options, vramBudget: '1GiB' });
      const { allocatedBytes } = engine.memory();
      const error = await errorOf(() => train(model, optimizer));
      expect(error).toMatchObject({ code: 'OVER_BUDGET' });
      expect(String(error)).toContain('VRAM budget of 1.46 MiB');
      expect(engine.memory().allocatedBytes).toBe(allocatedBytes);
      expect(engine.memory().hostBytes).toBe(0);
      expect(optimizer.plan).toBeNull();
      optimizer.dispose();
    },
    TIMEOUT_MS,
  );
}
