import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';

import { ApartBytes, SubAllocatedBytes } from '#src/engines/webgpu/memory/device-bytes.js';
import { VramBudgetError } from '#src/engines/webgpu/memory/vram-budget-error.js';

import { describeWebGPU, errorOf, start, variable } from '../engine.js';

const [STORAGE, MAP_READ] = [0x80, 0x1];
const MiB = 2 ** 20;

test('apart: each buffer takes its bytes, and gives them back', () => {
  const bytes = new ApartBytes();
  bytes.made(100);
  bytes.made(1_080_000);
  expect([bytes.bytes, bytes.with(24)]).toEqual([1_080_100, 1_080_124]);
  bytes.destroyed(100);
  expect(bytes.bytes).toBe(1_080_000);
});

test('sub-allocated: 1.03 MiB take 2 of the 8 MiB of a heap, and heaps are kept', () => {
  const bytes = new SubAllocatedBytes();
  const small = 1_080_000;
  for (let i = 0; i < 4; i++) bytes.made(small, STORAGE);
  expect(bytes.bytes).toBe(8 * MiB); // 4 × 2 MiB
  expect(bytes.with(16, STORAGE)).toBe(16 * MiB);
  bytes.made(16, STORAGE);
  for (let i = 0; i < 4; i++) bytes.destroyed(small, STORAGE);
  expect(bytes.bytes).toBe(16 * MiB);
  // 16 bytes and 7 × 2 MiB are in the two heaps; with 8 × 2 MiB a third begins.
  for (let i = 0; i < 7; i++) bytes.made(small, STORAGE);
  expect([bytes.bytes, bytes.with(small, STORAGE)]).toEqual([16 * MiB, 24 * MiB]);
});

test('sub-allocated: 4 MiB and more, and what the host maps, are apart', () => {
  const bytes = new SubAllocatedBytes();
  bytes.made(4 * MiB, STORAGE);
  bytes.made(4 * MiB + 4, STORAGE);
  bytes.made(100, MAP_READ);
  expect(bytes.bytes).toBe(8 * MiB + 104);
  bytes.destroyed(4 * MiB + 4, STORAGE);
  bytes.destroyed(100, MAP_READ);
  expect(bytes.bytes).toBe(4 * MiB);
});

describeWebGPU(() => {
  test('20 weights of 1.03 MiB take 20 × 1.03 MiB, sub-allocated 20 × 2 MiB', async () => {
    const make = async (subAllocate: boolean) => {
      const { memory, stop } = await start({ subAllocate });
      const weights = Array.from({ length: 20 }, (_, i) => variable([600, 450], i));
      for (const weight of weights) tf.dispose(tf.square(weight)); // uploads it
      await tf.square(weights[0]!).data();
      const { allocatedBytes, addedBytes, by } = memory();
      expect(Object.values(by).reduce((a, b) => a + b, addedBytes)).toBe(allocatedBytes);
      tf.disposeVariables();
      stop();
      return { allocatedBytes, addedBytes, weights: by.weights };
    };
    const apart = await make(false);
    expect(apart).toMatchObject({ addedBytes: 0, weights: 20 * 1_080_000 });
    const sub = await make(true);
    expect(sub.weights).toBe(20 * 1_080_000);
    expect(sub.allocatedBytes % (8 * MiB)).toBeLessThan(2 * MiB); // heaps, and a buffer to read into
    expect(sub.addedBytes).toBeGreaterThan(20 * (2 * MiB - 1_080_000));
  });

  test('sub-allocated, 20 MiB hold two heaps: a tenth weight of 1.03 MiB is over the budget', async () => {
    await start({ subAllocate: true, vramBudget: '20MiB' });
    const error = await errorOf(async () => {
      for (let i = 0; i < 20; i++) {
        await tf.tidy(() => tf.sum(tf.mul(variable([600, 450], i), 1))).data();
      }
    });
    if (!(error instanceof VramBudgetError)) throw error;
    expect(error.addedBytes).toBeGreaterThan(8 * (2 * MiB - 1_080_000));
    expect(error.usedBytes + error.neededBytes + error.addedBytes).toBeGreaterThan(20 * MiB);
    expect(error.message).toMatch(
      /and small buffers take .* MiB more on this device, which keeps that until stop\(\)\. Use/,
    );
  });
});
