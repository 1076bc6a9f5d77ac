import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';

import { BufferCount, TinyModel, describeWebGPU, start } from '../engine.js';

interface GpuMemory extends tf.MemoryInfo {
  numBytesInGPU: number;
  numBytesAllocatedInGPU: number;
}

describeWebGPU(() => {
  test('what a step of a large batch left is destroyed two steps later, and tf.memory() tells', async () => {
    const { backend, memory } = await start();
    const count = new BufferCount(backend.device);
    const model = new TinyModel();
    for (let i = 0; i < 4; i++) await model.step(8);
    const small = memory().allocatedBytes;
    await model.step(512);
    const large = memory().allocatedBytes;
    for (let i = 0; i < 4; i++) await model.step(8);
    const { numBytesAllocatedInGPU, numBytesInGPU } = tf.memory() as GpuMemory;

    expect(large - small).toBeGreaterThan(512 * 256 * 4);
    expect(numBytesAllocatedInGPU).toBe(small);
    expect(numBytesAllocatedInGPU).toBe(count.bytes);
    expect(numBytesInGPU).toBe(memory().usedBytes);

    backend.pool.trim();
    const trimmed = tf.memory() as GpuMemory;
    expect(trimmed.numBytesInGPU).toBe(trimmed.numBytesAllocatedInGPU);
    expect(trimmed.numBytesAllocatedInGPU).toBe(count.bytes);
    expect(await model.step(8)).toBeGreaterThan(0);
  });

  test('the same steps again and again make no buffer anew', async () => {
    const { backend } = await start();
    const model = new TinyModel();
    for (let i = 0; i < 4; i++) await model.step(8);
    const count = new BufferCount(backend.device);
    for (let i = 0; i < 4; i++) await model.step(8);
    expect(count.made).toBe(0);
  });

  test('the large staging buffer of a read is not kept, that of a loss is', async () => {
    const { memory } = await start();
    const x = tf.tile(tf.ones([100]), [300]); // 120,000 bytes
    await x.data();
    expect(memory().by.staging + memory().by.pool).toBeLessThan(4096);
    const y = tf.sum(tf.tile(tf.ones([100]), [20]));
    await y.data();
    const { allocatedBytes } = memory();
    await tf.sum(tf.tile(tf.ones([100]), [20])).data();
    expect(memory().allocatedBytes - allocatedBytes).toBeLessThanOrEqual(8000 + 4);
  });

  test('an upload into a used buffer, whole numbers and booleans arrive as they were', async () => {
    await start();
    const turn = async (tensor: tf.Tensor) => {
      const doubled = tf.tile(tensor, [1]);
      const values = await doubled.data();
      tf.dispose([tensor, doubled]);
      return values;
    };
    const values = Float32Array.from({ length: 1500 }, (_, i) => i / 7);
    for (const sign of [1, -1, 0.5]) {
      const given = values.map((value) => sign * value);
      expect(await turn(tf.tensor1d(given.slice()))).toEqual(given);
    }
    const whole = Int32Array.from({ length: 1500 }, (_, i) => i - 700);
    expect(await turn(tf.tensor1d(whole.slice(), 'int32'))).toEqual(whole);
    const flags = await turn(tf.tensor1d([true, false, true], 'bool'));
    expect([...flags]).toEqual([1, 0, 1]);
  });
});
