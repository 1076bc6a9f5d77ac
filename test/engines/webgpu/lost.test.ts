// A lost device: the slow weights can be got out, each call ends and says the truth, and training goes on elsewhere.
//
// `device.destroy()` takes mapped memory away at once. A device that is lost otherwise leaves it to the host, and refuses
// everything else: so does one whose loss is announced and that is not destroyed.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  adam,
  loadTraining,
  type Lookahead,
  lookahead,
  saveTraining,
  sgd,
  type SlowWeight,
} from 'slowlane';
import { describe, expect, test } from 'vitest';

import type { BudgetedBackend } from '#src/engines/webgpu/budgeted-backend.js';
import { SLOW_FORMATS } from '#src/slow/slow-format.js';

import { halfSquare, read } from '../../engines.js';
import { describeWebGPU, errorOf, start, variable } from './engine.js';

const HOST_FORMATS = SLOW_FORMATS.filter((format) => format !== 'device:f32');

const announceLoss = ({ errors }: BudgetedBackend) => errors.lose('stopped');
const losses = {
  'device.destroy()': ({ device }: BudgetedBackend) => device.destroy(),
  'a loss that leaves mapped memory': announceLoss,
};

const stepOf = (optimizer: Lookahead, weights: tf.Variable[]) => () =>
  optimizer.step(() => tf.addN(weights.map(halfSquare)) as tf.Scalar, false, weights);

const valuesIn = (slow: readonly SlowWeight[]) => slow.map(({ values }) => values);

/** Calls `lose` as soon as a move of slow weights is in the device's queue. */
function loseInMove(backend: BudgetedBackend, lose: () => void): void {
  const submit = backend.submitOwn.bind(backend);
  backend.submitOwn = (commands, written) => {
    const submitted = submit(commands, written);
    if (new Error().stack?.includes('PieceMover') === true) lose();
    return submitted;
  };
}

describeWebGPU(() => {
  describe.each(Object.entries(losses))('%s', (_, lose) => {
    test.each(HOST_FORMATS)('%s in mid-cycle: slowWeights() gives the same bits', async (slow) => {
      const { backend, stop } = await start();
      const weights = [variable([65, 65], 1), variable([3], 2)];
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2, slow });
      const step = stepOf(optimizer, weights);
      for (let i = 0; i < 3; i++) await step();
      const before = await optimizer.slowWeights();
      lose(backend);
      expect(await optimizer.slowWeights()).toEqual(before);
      stop(); // destroys the device now, if it was not
      expect(await optimizer.slowWeights()).toEqual(before);
      optimizer.dispose();
      expect(backend.hostBuffers.bytes).toBe(0);
    });
  });

  test('each call says that the device is lost and how to go on; none says that sync() helps', async () => {
    const { backend } = await start();
    const { weights, optimizer, plain, offloaded, model } = await trained();
    const [weight] = weights as [tf.Variable];
    const loss = () => halfSquare(weight);
    backend.device.destroy();
    const [x, y] = [tf.zeros([2, 3]), tf.zeros([2, 1])];
    const calls: Record<string, () => unknown> = {
      minimize: () => optimizer.minimize(loss, false, weights),
      applyGradients: () => optimizer.applyGradients([{ name: weight.name, tensor: weight }]),
      completeStep: () => optimizer.completeStep(),
      step: () => optimizer.step(loss, false, weights),
      finish: () => optimizer.finish(),
      'step after it': () => optimizer.step(loss, false, weights),
      sync: () => optimizer.sync(),
      'sync early': () => optimizer.sync({ early: true }),
      discard: () => optimizer.discard(),
      resync: () => optimizer.resync(),
      withSlowWeights: () => optimizer.withSlowWeights(() => 1),
      getWeights: () => optimizer.getWeights(),
      saveTraining: () => saveTraining(optimizer, weights),
      attach: () => optimizer.attach(weights),
      forget: () => optimizer.forget(weights),
      fit: () => model.fit(x, y, { verbose: 0, callbacks: callbacksOf(model) }),
      'plain minimize': () => plain.minimize(loss, false, weights),
      'plain saveTraining': () => saveTraining(plain, weights),
      'plain applyGradients': () => plain.applyGradients([{ name: weight.name, tensor: weight }]),
      'offloaded minimize': () => offloaded.minimize(loss, false, weights),
      'offloaded saveTraining': () => saveTraining(offloaded, weights),
      'reading a weight': () => weight.data(),
    };
    for (const [name, call] of Object.entries(calls)) {
      const error: unknown = await Promise.resolve()
        .then(call)
        .catch((thrown: unknown) => thrown);
      expect({ name, error }).toMatchObject({ name, error: { code: 'DEVICE_LOST' } });
      const { message } = error as Error;
      expect({ name, message }).toMatchObject({
        message: expect.stringMatching(
          /start again with startWebGPU\(\), make the model again.*slowWeights\(\)/,
        ),
      });
      expect(message).not.toMatch(/sync\(\) (to|does)|discard\(\)/);
    }
    expect(optimizer.stats()).toMatchObject({ steps: 3, syncs: 1 });
    await expect(loadTraining(new Uint8Array(4), optimizer, weights)).rejects.toThrow(
      'not a training state',
    );
    for (const one of [optimizer, plain, offloaded, model.optimizer]) one.dispose();
    expect(backend.hostBuffers.bytes).toBe(0);
  });

  test('calls under way end, and those that queue behind them', async () => {
    const { backend } = await start();
    const weights = [variable([65, 65], 1)];
    const optimizer = lookahead(adam(), { syncPeriod: 2 });
    const step = stepOf(optimizer, weights);
    for (let i = 0; i < 2; i++) await step();
    const before = await optimizer.slowWeights();
    await step();
    const running = [
      step(), // ends a cycle
      step(),
      optimizer.withSlowWeights(() => 1),
      optimizer.sync(),
      optimizer.getWeights(),
      optimizer.slowWeights(),
    ];
    await Promise.resolve();
    backend.device.destroy();
    const results = await Promise.allSettled(running);
    for (const result of results.slice(0, 5)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'DEVICE_LOST' } });
    }
    expect(results[5]).toEqual({ status: 'fulfilled', value: before });
    optimizer.dispose();
    expect(backend.hostBuffers.bytes).toBe(0);
  });

  test('lost inside withSlowWeights(): it ends as its function does, and the next call with the loss', async () => {
    const { backend } = await start();
    const weights = [variable([65, 65], 1)];
    const optimizer = lookahead(sgd({ learningRate: 0.1 }));
    await stepOf(optimizer, weights)();
    const before = await optimizer.slowWeights();
    const swapped = await optimizer.withSlowWeights(async () => {
      backend.device.destroy();
      expect(await optimizer.slowWeights()).toEqual(before);
      expect(await errorOf(() => optimizer.withSlowWeights(() => 1))).toMatchObject({
        code: 'DEVICE_LOST',
      });
      return 'evaluated';
    });
    expect(swapped).toBe('evaluated');
    expect(await errorOf(() => optimizer.sync())).toMatchObject({ code: 'DEVICE_LOST' });
    expect(await optimizer.slowWeights()).toEqual(before);
    optimizer.dispose();
    await new Promise((resolve) => setTimeout(resolve, 10)); // what broke off ends first
    expect(backend.hostBuffers.bytes).toBe(0);
  });

  test('destroyed or stopped while a sync has the slow weights on the device: they come back first', async () => {
    for (const isStopped of [true, false]) {
      const { backend, stop } = await start();
      const weights = [variable([65, 65], 1)];
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2 });
      const step = stepOf(optimizer, weights);
      for (let i = 0; i < 3; i++) await step();
      const before = await optimizer.slowWeights();
      let lost = Promise.resolve<unknown>(null);
      loseInMove(backend, () =>
        queueMicrotask(() => {
          if (isStopped) stop();
          else backend.device.destroy();
          lost = backend.device.lost;
        }),
      );
      await step().catch(() => {}); // the sync's last call of the device
      expect(await errorOf(step)).toMatchObject({ code: 'DEVICE_LOST' }); // at once
      const [slow] = await optimizer.slowWeights();
      // Two steps took 0.81 of φ away: φ/2 + 0.81φ/2 = 0.905 φ.
      expect(slow?.values[0]).toBeCloseTo(0.905 * (before[0]?.values[0] as number), 5);
      await lost; // it is destroyed in the end
      expect(await optimizer.slowWeights()).toEqual([slow]);
      optimizer.dispose();
      expect(backend.hostBuffers.bytes).toBe(0);
      stop();
    }
  });

  test('lost without a warning while a sync has them: the slow weights before that sync', async () => {
    const { backend } = await start();
    const weights = [variable([65, 65], 1)];
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2 });
    const step = stepOf(optimizer, weights);
    for (let i = 0; i < 3; i++) await step();
    const before = await optimizer.slowWeights();
    loseInMove(backend, () => GPUDevice.prototype.destroy.call(backend.device));
    await step().catch(() => {});
    expect(await optimizer.slowWeights()).toEqual(before);
    optimizer.dispose();
    expect(backend.hostBuffers.bytes).toBe(0);
  });

  test('lost when the download has come and is not known to be good: the slow weights before that sync', async () => {
    const { backend } = await start();
    const weights = [variable([65, 65], 1)];
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2 });
    const step = stepOf(optimizer, weights);
    for (let i = 0; i < 2; i++) await step();
    const before = await optimizer.slowWeights();
    await step();
    const { errors } = backend;
    const judged = errors.judged.bind(errors);
    errors.judged = async (data) => {
      if (new Error().stack?.includes('PieceMover') !== true) return judged(data);
      await new Promise((resolve) => setTimeout(resolve, 100)); // the download is mapped by then
      announceLoss(backend);
      errors.throwIfLost();
    };
    await step();
    expect(await optimizer.slowWeights()).toEqual(before);
    optimizer.dispose();
  });

  test('lost before a first step was captured: the others’ slow weights are in the error', async () => {
    const { backend } = await start();
    const [old, fresh] = [variable([65, 65], 1), variable([4], 2)];
    const optimizer = lookahead(sgd({ learningRate: 0.1 }));
    await stepOf(optimizer, [old])();
    const before = await optimizer.slowWeights();
    optimizer.minimize(() => halfSquare(fresh), false, [fresh]);
    backend.device.destroy();
    const error = await errorOf(() => optimizer.slowWeights());
    expect(error).toMatchObject({
      code: 'DEVICE_LOST',
      details: { lostWeights: [fresh.name], slowWeights: before },
    });
    optimizer.dispose();
    expect(backend.hostBuffers.bytes).toBe(0);
  });

  test('device:f32: the slow weights went with the device, and the error says so', async () => {
    const { backend } = await start();
    const weights = [variable([65, 65], 1)];
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { slow: 'device:f32' });
    await stepOf(optimizer, weights)();
    backend.device.destroy();
    const error = await errorOf(() => optimizer.slowWeights());
    expect(error).toMatchObject({
      code: 'DEVICE_LOST',
      details: { lostWeights: [weights[0]?.name] },
    });
    expect(String(error)).toMatch(/were on the device.*load the last saved state/);
    for (const call of [
      () => optimizer.sync(),
      () => optimizer.finish(),
      () => optimizer.attach(weights),
    ]) {
      expect(await errorOf(call)).toMatchObject({ code: 'DEVICE_LOST' });
    }
    optimizer.dispose();
  });

  test('stop() and tf.removeBackend() while a Lookahead lives: the same', async () => {
    for (const end of [(stop: () => void) => stop(), () => tf.removeBackend('slowlane-webgpu')]) {
      const { stop } = await start();
      const weights = [variable([65, 65], 1)];
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { slow: 'host:f16' });
      const step = stepOf(optimizer, weights);
      await step();
      const before = await optimizer.slowWeights();
      const plain = adam();
      const plainStep = () =>
        plain.minimize(() => halfSquare(weights[0] as tf.Variable), false, weights);
      plainStep();
      end(stop);
      await tf.setBackend('cpu');
      expect(await optimizer.slowWeights()).toEqual(before);
      for (const call of [
        step,
        () => optimizer.finish(),
        step,
        () => optimizer.getWeights(),
        plainStep,
        () => plain.getWeights(),
      ]) {
        const error = await errorOf(call);
        expect(error).toMatchObject({ code: 'DEVICE_LOST' });
        expect(String(error)).toMatch(/engine was stopped.*start again with startWebGPU/);
      }
      optimizer.dispose();
      plain.dispose();
    }
  });

  test('moments that are away from the host do not hide the loss: it is no use to wait for them', async () => {
    const { backend } = await start();
    const weights = [variable([65, 65], 1)];
    const optimizer = adam({ moments: 'host:f32' });
    const step = () =>
      optimizer.minimize(() => halfSquare(weights[0] as tf.Variable), false, weights);
    step();
    expect(await errorOf(step)).toMatchObject({ code: 'OFFLOAD_PENDING' });
    backend.device.destroy();
    for (const call of [step, () => optimizer.flush(), step, () => optimizer.getWeights()]) {
      expect(await errorOf(call)).toMatchObject({ code: 'DEVICE_LOST' });
    }
    optimizer.dispose();
    expect(backend.hostBuffers.bytes).toBe(0);
  });

  test('another backend became current: slowWeights() gives them, and the errors say to go back', async () => {
    const { backend } = await start();
    const weights = [variable([65, 65], 1)];
    const optimizer = lookahead(sgd({ learningRate: 0.1 }));
    await stepOf(optimizer, weights)();
    const before = await optimizer.slowWeights();
    await tf.setBackend('cpu');
    expect(await optimizer.slowWeights()).toEqual(before);
    expect(await errorOf(() => optimizer.discard())).toMatchObject({ code: 'WRONG_STATE' });
    await expect(optimizer.getWeights()).rejects.toThrow(/broke off: .*Go back with tf.setBackend/);
    await tf.setBackend('slowlane-webgpu');
    await optimizer.discard();
    expect([await read(weights[0] as tf.Variable)]).toEqual(
      valuesIn(before).map((values) => [...values]),
    );
    optimizer.dispose();
    expect(backend.hostBuffers.bytes).toBe(0);
  });
});

/** Optimizers with three steps behind them. */
async function trained() {
  const weights = [variable([65, 65], 1)];
  const loss = () => halfSquare(weights[0] as tf.Variable);
  const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2 });
  const plain = adam({ learningRate: 0.01 });
  const offloaded = adam({ moments: 'host:f32' });
  plain.minimize(loss, false, weights);
  offloaded.minimize(loss, false, weights);
  await offloaded.flush();
  for (let i = 0; i < 3; i++) await optimizer.step(loss, false, weights);
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [3] })] });
  model.compile({ optimizer: lookahead(sgd()), loss: 'meanSquaredError' });
  return { weights, optimizer, plain, offloaded, model };
}

function callbacksOf(model: tfl.LayersModel) {
  return (model.optimizer as Lookahead).callbacks();
}
