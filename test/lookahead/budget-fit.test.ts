// A Lookahead that plans by itself where it knows the model: activations count too.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, type Lookahead, lookahead, type LookaheadOptions, plan } from 'slowlane';
import { afterEach, expect, test } from 'vitest';

import { noise, onEveryEngine } from '../engines.js';

function makeModel(): tfl.Sequential {
  const dense = (units: number, inputShape?: number[]) =>
    tfl.layers.dense({ units, activation: 'relu', ...(inputShape && { inputShape }) });
  return tfl.sequential({ layers: [dense(64, [64]), dense(64)] });
}

function compiled(options: LookaheadOptions) {
  const model = makeModel();
  const optimizer = lookahead(adam(), { syncPeriod: 2, workers: 0, ...options });
  model.compile({ optimizer, loss: 'meanSquaredError' });
  return { model, optimizer };
}

async function fit(model: tfl.Sequential, optimizer: Lookahead, batchSize: number) {
  const [x, y] = [noise([24, 64], 1), noise([24, 64], 2)];
  const callbacks = optimizer.callbacks();
  await model.fit(x, y, { batchSize, epochs: 1, verbose: 0, callbacks });
}

onEveryEngine(() => {
  afterEach(() => tf.disposeVariables());

  test('fit: the plan is that of plan() for the model and the batch', async () => {
    const { model, optimizer } = compiled({ vramBudget: '300KiB' });
    await fit(model, optimizer, 12);
    const { batchSize, pick, assumptions } = optimizer.plan ?? {};
    const request = { vramBudget: '300KiB', batchSize: 12, syncPeriod: 2 };
    const expected = plan({ model, ...request });
    expect(batchSize).toBe(12);
    expect(pick).toEqual(expected.pick);
    expect(pick?.device.activations).toBeGreaterThan(0);
    expect(assumptions).toEqual(expected.assumptions);
    expect(optimizer.iterations).toBe(2);
  });

  test('the batch makes the difference', async () => {
    const picks = [];
    for (const batchSize of [1, 24]) {
      const { model, optimizer } = compiled({ vramBudget: '205KiB' });
      await fit(model, optimizer, batchSize);
      picks.push(optimizer.plan?.pick?.policy.moments);
    }
    expect(picks).toEqual(['device:f32', 'device:q8']);
  });

  test('it does not fit: fit rejects before it trains', async () => {
    const { model, optimizer } = compiled({ vramBudget: '60KiB' });
    const before = model.getWeights().map((weight) => [...weight.dataSync()]);
    await expect(fit(model, optimizer, 8)).rejects.toMatchObject({ code: 'OVER_BUDGET' });
    expect(model.getWeights().map((weight) => [...weight.dataSync()])).toEqual(before);
    expect(optimizer.iterations).toBe(0);
  });

  test('attach(model): batchSize, else 32 and a note of it', async () => {
    const guessed = compiled({ vramBudget: '1MiB' });
    await guessed.optimizer.attach(guessed.model);
    expect(guessed.optimizer.plan?.batchSize).toBe(32);
    expect(guessed.optimizer.plan?.assumptions.join()).toContain('give batchSize');
    const given = compiled({ vramBudget: '1MiB', batchSize: 7 });
    await given.optimizer.attach(given.model);
    expect(given.optimizer.plan?.batchSize).toBe(7);
    expect(given.optimizer.plan?.assumptions.join()).not.toContain('give batchSize');
  });

  test('activationBytes that were measured count instead', async () => {
    const { model, optimizer } = compiled({ vramBudget: '1MiB', activationBytes: '100KiB' });
    await optimizer.attach(model);
    expect(optimizer.plan?.pick?.device.activations).toBe(100 * 1024);
  });
});
