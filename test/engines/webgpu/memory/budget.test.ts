import * as tf from '@tensorflow/tfjs-core';
import { adam, Lookahead, lookahead, momentum } from 'slowlane';
import { expect, test } from 'vitest';

import { label } from '#src/engines/webgpu/memory/label.js';
import { CATEGORIES } from '#src/engine/categories.js';
import { VramBudgetError } from '#src/engines/webgpu/memory/vram-budget-error.js';

import { BufferCount, TinyModel, describeWebGPU, errorOf, start } from '../engine.js';

const STEPS = 2;

/** What two steps need at least, when nothing is freed later than it could be; and their losses. */
async function measure(batch: number, makeOptimizer?: () => tf.Optimizer) {
  const { backend, stop } = await start();
  const pool = backend.bufferManager;
  const acquire = pool.acquireBuffer.bind(pool);
  let neededBytes = 0;
  pool.acquireBuffer = (...given) => {
    const buffer = acquire(...given);
    neededBytes = Math.max(neededBytes, pool.numBytesUsed);
    return buffer;
  };
  const batchSize = tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE');
  tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', 1);
  try {
    return { losses: await train(batch, makeOptimizer?.()), neededBytes };
  } finally {
    tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', batchSize);
    tf.disposeVariables();
    stop();
  }
}

async function train(batch: number, optimizer?: tf.Optimizer): Promise<number[]> {
  const model = new TinyModel(optimizer);
  const losses: number[] = [];
  for (let i = 0; i < STEPS; i++) losses.push(await model.step(batch));
  return losses;
}

/** An engine whose every allocation is asserted to keep the budget. */
async function startWithin(budgetBytes: number) {
  const engine = await start({ vramBudget: budgetBytes });
  const count = new BufferCount(engine.backend.device, (bytes) => {
    expect(bytes).toBeLessThanOrEqual(budgetBytes);
  }).withoutHostBuffers(engine.backend);
  return { ...engine, count };
}

describeWebGPU(() => {
  test('just enough is enough, and 20 % less is an error that says what holds how much', async () => {
    const { losses, neededBytes } = await measure(256);
    const enough = await startWithin(neededBytes);
    expect(await train(256)).toEqual(losses);
    expect(enough.memory().peakBytes).toBe(enough.count.peakBytes);
    tf.disposeVariables();
    enough.stop();

    const budgetBytes = Math.floor(0.8 * neededBytes);
    await startWithin(budgetBytes);
    const error = await errorOf(() => train(256));
    if (!(error instanceof VramBudgetError)) throw error;
    expect(error).toMatchObject({ name: 'VramBudgetError', code: 'OVER_BUDGET', budgetBytes });
    expect(error.usedBytes + error.neededBytes).toBeGreaterThan(budgetBytes);
    expect(error.usedBytes).toBeLessThanOrEqual(budgetBytes);
    expect(CATEGORIES.reduce((sum, category) => sum + error.breakdown[category], 0)).toBe(
      error.usedBytes,
    );
    expect(error.breakdown).toMatchObject({ weights: 4 * (16 * 256 + 256 * 4), pool: 0 });
    expect(error.message).toMatch(
      /would pass the VRAM budget of .* in use \(weights 20 KiB, gradients .*\)\. Use a smaller batch/,
    );
  });

  test.each([
    ['tf.train.momentum', undefined],
    ['lookahead(momentum())', () => lookahead(momentum({ learningRate: 1e-5 }))],
  ])('%s: training goes on with half the batch as if nothing had happened', async (_, make) => {
    const small = await measure(128, make);
    const large = await measure(256, make);
    const budgetBytes = Math.floor(0.8 * large.neededBytes);
    expect(budgetBytes).toBeGreaterThan(small.neededBytes);

    const { backend, count } = await startWithin(budgetBytes);
    const model = new TinyModel(make?.());
    const losses: number[] = [];
    let tensors: number[] = [];
    for (let i = 0; i < STEPS; i++) {
      await expect(model.step(256)).rejects.toThrow(VramBudgetError);
      losses.push(await model.step(128));
      await expect(model.step(256)).rejects.toThrow(VramBudgetError);
      tensors = [...tensors, tf.memory().numTensors];
    }
    expect(losses).toEqual(small.losses);
    // Two weights and their two momenta, and the loss that was read: nothing of the steps that failed.
    expect(new Set(tensors)).toEqual(new Set([tensors[0]]));
    const { optimizer } = model;
    if (optimizer instanceof Lookahead) await optimizer.sync(); // lets go of what it holds of θ₀
    backend.pool.trim();
    const { weights, moments, staging, pool } = backend.deviceMemory().by;
    expect([weights, moments, pool]).toEqual([20_480, 20_480, 0]);
    const { allocatedBytes, usedBytes } = backend.deviceMemory();
    expect([allocatedBytes, usedBytes]).toEqual([count.bytes, count.bytes]);
    expect(allocatedBytes - weights - moments - staging).toBeLessThan(1024);
  });

  test('gradients released: an overrun in mid-backward says so, and discard() goes back', async () => {
    const make = () => lookahead(momentum({ learningRate: 1e-5, gradients: 'release' }));
    const large = await measure(256, make);
    await startWithin(Math.floor(0.8 * large.neededBytes));
    const optimizer = make();
    const model = new TinyModel(optimizer);
    await optimizer.attach(model.weights);
    const before = await Promise.all(model.weights.map((weight) => weight.data()));
    const error = await errorOf(() => model.step(256));
    expect(error).toBeInstanceOf(VramBudgetError);
    expect(error).toMatchObject({ code: 'OVER_BUDGET', details: { changed: 1, of: 2 } });
    expect(String(error)).toMatch(/would pass the VRAM budget .* 1 of 2 weights .* discard\(\)/s);
    await optimizer.discard();
    expect(await Promise.all(model.weights.map((weight) => weight.data()))).toEqual(before);
    const losses = [await model.step(128), await model.step(128)];
    expect(losses[1]).toBeLessThan(losses[0] as number);
    optimizer.dispose();
  });

  test('moments that do not fit leave nothing behind', async () => {
    const { backend } = await start({ vramBudget: 4 * 16_384 - 100 }); // of weight, gradient, m and v
    const weight = tf.tidy(() => tf.variable(tf.ones([4096])));
    const gradient = tf.ones([4096]);
    backend.uploadToGPU(weight.dataId);
    backend.uploadToGPU(gradient.dataId);
    const { numTensors } = tf.memory();
    const optimizer = adam();
    const step = () => optimizer.applyGradients([{ name: weight.name, tensor: gradient }]);
    for (let i = 0; i < 2; i++) expect(step).toThrow(VramBudgetError);
    expect(tf.memory().numTensors).toBe(numTensors);
    optimizer.dispose();
    expect(Object.keys(tf.engine().registeredVariables)).toEqual([weight.name]);
  });

  test('a kernel of several programs that fails half-way gives back what it made', async () => {
    const { backend } = await start({ vramBudget: 5 * 40_000 + 4000 });
    const x = tf.ones([100, 100]);
    backend.uploadToGPU(x.dataId);
    const before = [backend.deviceMemory().usedBytes, backend.numDataIds()];
    const references = backend.refCount(x.dataId);
    // x, these three and one more are five; cumsum needs more than one at a time.
    const others = [tf.add(x, 1), tf.add(x, 2), tf.add(x, 3)];
    backend.flush();
    expect(() => tf.cumsum(x, 0)).toThrow(VramBudgetError);
    expect(backend.refCount(x.dataId)).toBe(references);
    tf.dispose(others);
    backend.pool.trim();
    expect([backend.deviceMemory().usedBytes, backend.numDataIds()]).toEqual(before);
    const [sum] = await tf.sum(tf.softmax(x)).data();
    expect(sum).toBeCloseTo(100, 3);
  });

  test('an upload or a read that does not fit throws, and takes nothing', async () => {
    const { backend, memory } = await start({ vramBudget: 10_000 });
    const large = tf.ones([60, 60]); // 14,400 bytes
    expect(() => backend.uploadToGPU(large.dataId)).toThrow(VramBudgetError);
    expect(memory().allocatedBytes).toBe(0);
    expect(await large.data()).toHaveLength(3600); // still on the host

    const half = tf.ones([40, 40]); // 6,400 bytes
    backend.uploadToGPU(half.dataId);
    await expect(half.data()).rejects.toThrow(VramBudgetError); // 12,800 with its staging
    expect(memory()).toMatchObject({ allocatedBytes: 6400, by: { activations: 6400 } });
  });

  test('labels: variables by their role, tensors and functions by what they are told', async () => {
    const { backend } = await start();
    const make = (elements: number) => {
      const tensor = tf.ones([elements]);
      backend.uploadToGPU(tensor.dataId);
      return tensor;
    };
    tf.variable(make(1), true, 'w');
    tf.variable(make(2), false, 'w/m'); // state of an optimizer
    const frozen = tf.variable(make(4), false, 'frozen');
    const told = tf.variable(make(8), false, 'u');
    label('moments', told);
    label('gradients', make(16));
    const kept = label('weights', () => make(32));
    make(64);
    const byNow = () => Object.values(backend.deviceMemory().by).map((bytes) => bytes / 4);
    // weights, gradients, moments, staging, activations, pool
    expect(byNow()).toEqual([1 + 4 + 32, 16, 2 + 8, 0, 64, 0]);

    told.assign(make(8)); // keeps its label; the tensor it was made of has the old data
    expect(byNow()).toEqual([37, 16, 10, 0, 64 + 8, 0]);
    frozen.dispose(); // its data is a tensor's too
    kept.dispose();
    expect(byNow()).toEqual([1, 16, 10, 0, 64 + 8 + 4, 32]);
  });
});
