import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';

import { GpuError } from '#src/engines/webgpu/gpu-error.js';
import type { BudgetedBackend } from '#src/engines/webgpu/budgeted-backend.js';

import { TinyModel, describeWebGPU, errorOf, start } from './engine.js';

type Program = Parameters<WebGPUBackend['runWebGPUProgram']>[0];

/** y = 2x, or no WGSL at all. */
function program(shape: number[], isBroken: boolean): Program {
  const main = isBroken
    ? 'fn main(index: i32) { this is not WGSL }'
    : 'fn main(index : i32) { if (index < uniforms.size) { setOutputAtIndex(index, 2.0 * getXByOutputIndex(index)); } }';
  return {
    variableNames: ['x'],
    outputShape: shape,
    dispatchLayout: { x: [0] },
    dispatch: [Math.ceil(tf.util.sizeFromShape(shape) / 64), 1, 1],
    workgroupSize: [64, 1, 1],
    shaderKey: isBroken ? 'broken' : 'double',
    size: true,
    getUserCode: () => main,
  };
}

function run(backend: BudgetedBackend, x: tf.Tensor, isBroken: boolean): tf.Tensor {
  const info = backend.runWebGPUProgram(program(x.shape, isBroken), [x], 'float32');
  return tf.engine().makeTensorFromTensorInfo(info, backend);
}

describeWebGPU(() => {
  test('a shader that does not compile: a named error at the next read, and never its numbers', async () => {
    const { backend } = await start();
    const x = tf.tensor1d([1, 2, 3]);
    expect(await run(backend, x, false).data()).toEqual(Float32Array.of(2, 4, 6));
    const wrong = run(backend, x, true);

    const error = await errorOf(() => wrong.data());
    expect(error).toBeInstanceOf(GpuError);
    expect(error).toMatchObject({
      name: 'GpuValidationError',
      code: 'DEVICE_FAILED',
      kind: 'validation',
    });
    expect(String(error)).toMatch(/refused a command.*parsing WGSL/s);

    await expect(wrong.data()).rejects.toThrow(/computed while the GPU failed/);
    expect(await errorOf(() => tf.add(wrong, 1))).toMatchObject({ name: 'GpuValidationError' });
    // What was there before is right, and the engine goes on.
    expect(await tf.add(tf.tensor1d([1, 2, 3]), 1).data()).toEqual(Float32Array.of(2, 3, 4));
  });

  test('an error nobody reads is thrown by a kernel once it is known', async () => {
    const { backend } = await start();
    const x = tf.tensor1d([1, 2, 3]);
    const y = run(backend, x, false);
    run(backend, x, true);
    backend.flush();
    await backend.queue.onSubmittedWorkDone();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(() => tf.add(y, 1)).toThrow(/refused a command/);
  });

  test('an error in one read does not hide the other: two reads at once', async () => {
    const { backend } = await start();
    const good = run(backend, tf.tensor1d([1]), false);
    await good.data();
    const wrong = [run(backend, good, true), run(backend, good, true)];
    const results = await Promise.allSettled(wrong.map((tensor) => tensor.data()));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  test('a command recorded beside tfjs’s programs taints the data it names', async () => {
    const { backend } = await start();
    const x = tf.variable(tf.tensor1d([1, 2, 3, 4]));
    backend.uploadToGPU(x.dataId);
    await x.data();
    const resource = backend.tensorMap.get(x.dataId).resource as GPUBuffer;
    backend.tensorMap.get(x.dataId).values = null as never;
    const internals = backend as unknown as {
      commandEncoder: GPUCommandEncoder;
      commandQueueOwnedIds: WeakSet<object>;
    };
    backend.ensureCommandEncoderReady();
    internals.commandEncoder.copyBufferToBuffer(resource, 0, resource, 8, 64); // beyond its end
    internals.commandQueueOwnedIds.add(x.dataId);
    await expect(x.data()).rejects.toMatchObject({ kind: 'validation' });
    await expect(x.data()).rejects.toThrow(/computed while the GPU failed/);
    x.assign(tf.tensor1d([5, 6, 7, 8])); // restored
    expect(await tf.add(x, 0).data()).toEqual(Float32Array.of(5, 6, 7, 8));
  });

  test('an allocation beyond the limits of the device', async () => {
    const { limits } = await start();
    const elements = limits.maxStorageBufferBindingSize / 4 + 1;
    const before = tf.memory();
    const error = await errorOf(() => tf.fill([elements], 1));
    expect(error).toMatchObject({
      name: 'GpuLimitError',
      kind: 'limit',
      details: {
        neededBytes: 4 * elements,
        limit: expect.stringMatching(/^max(StorageBufferBinding|Buffer)Size$/),
      },
    });
    expect(tf.memory()).toEqual(before);
  });

  test('no memory on the device: thrown, and the buffer is not used again', async () => {
    const { backend } = await start();
    const x = tf.tensor1d([1, 2, 3, 4, 5]);
    backend.uploadToGPU(x.dataId);
    await tf.tile(x, [2]).data(); // x is known to be right
    const pop = backend.device.popErrorScope.bind(backend.device);
    let faults = 0;
    // The first scope to be closed is the one around the buffer that the next kernel makes.
    backend.device.popErrorScope = () => {
      const result = pop();
      return faults++ === 0 ? result.then(() => new GPUOutOfMemoryError('no memory')) : result;
    };
    const y = tf.tile(x, [40]);
    await expect(y.data()).rejects.toMatchObject({
      name: 'GpuOutOfMemoryError',
      details: { neededBytes: 800 },
    });
    y.dispose();
    const z = tf.tile(x, [40]);
    expect((await z.data()).slice(0, 6)).toEqual(Float32Array.of(1, 2, 3, 4, 5, 1));
  });

  test('a lost device: what waits and whatever comes is one clear error', async () => {
    const { backend, stop } = await start();
    const x = tf.tensor1d([1, 2, 3]);
    const model = new TinyModel();
    await model.step(2);
    const pending = [run(backend, x, false).data(), tf.tile(x, [400]).data()];
    backend.device.destroy();
    const results = await Promise.allSettled(pending);
    const later = [
      await errorOf(() => tf.square(x)),
      await errorOf(() => model.step(2)),
      await errorOf(() => x.data()),
    ];
    const errors = [...results.map((result) => 'reason' in result && result.reason), ...later];
    for (const error of errors) {
      expect(error).toMatchObject({ name: 'GpuLostError', code: 'DEVICE_LOST', kind: 'lost' });
      expect(String(error)).toMatch(/device was destroyed.*start again with startWebGPU/);
    }
    stop();
    await start();
    expect(await tf.square([4]).data()).toEqual(Float32Array.of(16));
  });
});
