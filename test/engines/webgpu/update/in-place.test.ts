import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import type { UpdateCounts } from '#src/engines/webgpu/update/update-in-place.js';
import { updateInPlaceOn } from './in-place.js';
import { bindingsIn } from '#src/engines/webgpu/update/kernel.js';
import { gridFor, kernelSource } from '#src/engines/webgpu/update/update-wgsl.js';
import { adam, sgd } from '#src/optimizers/index.js';
import { sgdRule } from '#src/optimizers/rules/sgd.js';
import { type Engine, engineOf, registerEngine } from '#src/engine/engine.js';
import type { Updater } from '#src/formula/weight-update.js';
import type { Assignment } from '#src/formula/update-rule.js';
import { type Backend, eachWithFreshCounts, RULES, noise, trained, variableOf } from './webgpu.js';
import { halfSquare } from '../../../engines.js';
import { watched } from './watched.js';

let backend: Backend;
let counts: UpdateCounts;
eachWithFreshCounts((started, fresh) => {
  backend = started;
  counts = fresh;
});

const bufferOf = (tensor: tf.Tensor) => backend.tensorMap.get(tensor.dataId).resource;

describe('what a step costs', () => {
  test.each(RULES)('%s: one dispatch a weight, no new buffer, no copy', async (_, slots, make) => {
    const weights = [5, 64, 1000].map((size) => variableOf(noise(size, size)));
    const gradients = weights.map(({ size }) => tf.tensor1d(noise(size, 7)));
    const optimizer = make();
    const step = () =>
      optimizer.applyGradients(
        weights.map(({ name }, i) => ({ name, tensor: gradients[i] ?? null })),
      );
    for (let i = 0; i < 12; i++) step(); // fills the pool
    const buffers = weights.map(bufferOf);
    const { dispatches, submits, newBuffers } = watched(backend, () => {
      for (let i = 0; i < 10; i++) step();
    });
    expect(dispatches).toBe(10 * 3);
    expect(submits).toBe(2); // every 15 dispatches, as without us
    expect(newBuffers).toBe(0);
    expect(weights.map(bufferOf)).toEqual(buffers);
    expect(counts).toMatchObject({ dispatches: 22 * 3, copies: 0, pipelines: 2 }); // both widths
    expect(optimizer.state()).toHaveLength(3 * slots);
    optimizer.dispose();
    tf.dispose(gradients);
  });

  test('adam, from its first step on: weights, gradients and moments, and uniforms', () => {
    const bytes = 4 * 3 * 10_000;
    const weights = [1, 2, 3].map((seed) => variableOf(noise(10_000, seed)));
    const gradients = [4, 5, 6].map((seed) => tf.tensor1d(noise(10_000, seed)));
    for (const { dataId } of [...weights, ...gradients]) backend.uploadToGPU(dataId);
    watched(backend, () => undefined); // submits, which gives the staging of the uploads back
    const before = backend.bufferManager.numBytesUsed;
    const optimizer = adam();
    const { peakBytesUsed } = watched(backend, () => {
      for (let i = 0; i < 5; i++) {
        optimizer.applyGradients(
          weights.map(({ name }, w) => ({ name, tensor: gradients[w] ?? null })),
        );
      }
    });
    // `before` has weights and gradients in it; up to 15 uniform buffers wait for a submission.
    expect(peakBytesUsed - before).toBeGreaterThanOrEqual(2 * bytes);
    expect(peakBytesUsed - before).toBeLessThanOrEqual(2 * bytes + 15 * 64);
    optimizer.dispose();
    tf.dispose(gradients);
  });

  test('minimize frees each gradient with its weight, before the next one', () => {
    const weights = [1, 2].map((seed) => variableOf(noise(100, seed)));
    const optimizer = sgd();
    const engine = engineOf(backend) as Engine;
    const freed: number[] = [];
    const update: Updater = (given) => {
      const { numTensors } = tf.memory();
      engine.update?.(given);
      freed.push(numTensors - tf.memory().numTensors);
    };
    registerEngine(backend, { ...engine, update });
    optimizer.minimize(() => tf.addN<tf.Scalar>(weights.map(halfSquare)), false, weights);
    expect(freed).toEqual([1, 1]);
  });

  test('the buffer of a freed gradient goes back to the pool once its update was submitted', () => {
    const weight = variableOf(noise(100, 1));
    backend.uploadToGPU(weight.dataId);
    watched(backend, () => undefined); // submits what was recorded
    const before = backend.bufferManager.numBytesUsed;
    const gradient = tf.tensor1d(noise(100, 2));
    sgd().applyGradients({ [weight.name]: gradient });
    const { numBytesUsed } = backend.bufferManager;
    gradient.dispose();
    expect(backend.bufferManager.numBytesUsed).toBe(numBytesUsed);
    watched(backend, () => undefined);
    expect(backend.bufferManager.numBytesUsed).toBe(before);
  });

  test('clipNorm reads nothing back, and its updates are one dispatch a weight too', async () => {
    const weight = variableOf(noise(100, 1));
    const gradient = tf.tensor1d(noise(100, 2));
    const step = (optimizer: tf.Optimizer) =>
      watched(backend, () => optimizer.applyGradients({ [weight.name]: gradient } as never));
    const [plain, clipped] = [sgd(), sgd({ clipNorm: 1 })];
    expect(step(plain).dispatches).toBe(1);
    const { dispatches, reads } = step(clipped);
    expect(reads).toBe(0);
    expect(dispatches).toBe(1 + 6); // square, sum, add to 0, root, maximum, division
    expect(counts.dispatches).toBe(2);
    gradient.dispose();
  });
});

describe('two dimensions', () => {
  // At most 2 × 2 workgroups: 1,000 vectors or 1,001 elements need all four.
  test.each([4000, 1001])('%i elements in two rows are as in one', async (size) => {
    const inOneRow = await trained(adam(), size, 3);
    updateInPlaceOn(backend, 2);
    expect(await trained(adam(), size, 3)).toEqual(inOneRow);
    await expect(trained(adam(), 4100, 1)).rejects.toThrow(RangeError); // 1,025 vectors
  });
});

describe('nothing but its elements', () => {
  test.each([
    [5, 1],
    [8, 4],
    [260, 4],
    [257, 1],
  ] as const)('%i elements by %i, in longer buffers: the rest stays', async (count, width) => {
    const { device } = backend;
    const spec = {
      formula: sgdRule.formula({}) as readonly Assignment[],
      state: [],
      scalars: ['learningRate'],
      clip: 'nothing',
      width,
    } as const;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const filled = (bytes: Float32Array | Uint32Array, as = usage) => {
      const buffer = device.createBuffer({ size: bytes.byteLength, usage: as });
      device.queue.writeBuffer(buffer, 0, bytes.buffer);
      return buffer;
    };
    const weight = filled(new Float32Array(count + 1024).fill(2));
    const gradient = filled(new Float32Array(count + 1024).fill(1));
    const numbers = new Float32Array(2).fill(0.5);
    new Uint32Array(numbers.buffer)[0] = count / width;
    const uniform = filled(numbers, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    const pipeline = device.createComputePipeline({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code: kernelSource(spec) }) },
    });
    const bound = {
      storage: weight,
      'read-only-storage': gradient,
      uniform,
    };
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    const entries = bindingsIn(kernelSource(spec)).map((kind, binding) => ({
      binding,
      resource: { buffer: bound[kind] },
    }));
    pass.setBindGroup(
      0,
      device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }),
    );
    pass.dispatchWorkgroups(...gridFor(count / width, 65_535));
    pass.end();
    const read = device.createBuffer({
      size: weight.size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.copyBufferToBuffer(weight, 0, read, 0, weight.size);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(GPUMapMode.READ);
    const after = [...new Float32Array(read.getMappedRange())];
    expect(after.slice(0, count)).toEqual(Array(count).fill(1.5)); // 2 − 0.5·1
    expect(after.slice(count)).toEqual(Array(1024).fill(2));
    for (const buffer of [weight, gradient, uniform, read]) buffer.destroy();
  });

  test('a weight without elements is left alone', async () => {
    const weight = tf.tidy(() => tf.variable(tf.zeros([0, 3])));
    const gradient = tf.zeros([0, 3]);
    sgd().applyGradients({ [weight.name]: gradient });
    expect(counts.dispatches).toBe(0);
    gradient.dispose();
  });
});
