// A sync that breaks off in the middle: the rest can be done later, and no chunk is blended twice.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import type { BlendJob } from '#workers/blend.js';

import type { Device } from '#src/engine/device.js';
import { registerEngine, unregisterEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import { InlineBlender } from '#src/sync/blender.js';
import { DeviceTensorStore } from '#src/sync/device-tensor-store.js';
import { HostBlendStore } from '#src/sync/host-blend-store.js';
import { Segment } from '#src/sync/segment.js';
import { StoreByPlace } from '#src/sync/store-by-place.js';
import { assign, Clock, counted, fastOf, type Item, itemOf, slowOf } from './store-items.js';

beforeAll(() => tf.setBackend('cpu'));
beforeEach(() => tf.disposeVariables());
afterEach(() => {
  unregisterEngine(tf.backend());
  vi.unstubAllGlobals();
});

/** Blends later, in its own time, and counts. */
class LateBlender extends InlineBlender {
  jobs = 0;
  failAt = 0;
  override runsInline(): boolean {
    return false;
  }
  override async blend(job: BlendJob): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.jobs += 1;
    if (this.jobs === this.failAt) throw new Error('the worker');
    return super.blend(job);
  }
}

/** Chunks of two elements: a is 1 … 6, in chunks 1 to 3; b is 10, 11, in chunk 4. All are 8 more than their slow values. */
function start() {
  const [blender, clock] = [new LateBlender(), new Clock()];
  const store = new HostBlendStore<Item>({ chunkBytes: 8, slots: 2, blender, clock });
  const [a, b] = [itemOf(1, { shape: [6] }), itemOf(10, { shape: [2] })];
  store.add([a, b]);
  store.take([a, b], 0);
  for (const item of [a, b])
    assign(
      item,
      fastOf(item).map((x) => x + 8),
    );
  const blending = store.blend({ stepSizeOf: () => 0.5, round: 0 });
  return { blender, clock, store, a, b, blending };
}
const done = async ({ store, a, b }: ReturnType<typeof start>) => {
  const values = [counted(5, 6), counted(14, 2)].map((each) => [...each]);
  expect([a, b].map(fastOf)).toEqual(values);
  expect([await slowOf(store, a), await slowOf(store, b)]).toEqual(values);
};

/** The move of that number, counted from 1, fails. */
function failing(failAt: { pull?: number; push?: number }): { pulls: number; pushes: number } {
  const device = currentDevice();
  const count = { pulls: 0, pushes: 0 };
  const check = (now: number, at: number | undefined) => {
    if (now === at) throw new Error('the device');
  };
  const broken: Device = {
    pullsAtOnce: true,
    pull(...args) {
      check(++count.pulls, failAt.pull);
      return device.pull(...args);
    },
    write() {
      const writer = device.write();
      return {
        push(...args) {
          check(++count.pushes, failAt.push);
          return writer.push(...args);
        },
      };
    },
  };
  registerEngine(tf.backend(), { device: broken });
  return count;
}

describe('a sync in chunks', () => {
  test('moves each chunk once, in order, and times what it does', async () => {
    const sync = start();
    const count = failing({});
    expect(await sync.blending.run()).toBe(32);
    await done(sync);
    expect([count.pulls, count.pushes, sync.blender.jobs]).toEqual([4, 4, 4]);
    const phases = (phase: string) => sync.clock.phases.filter((each) => each === phase).length;
    expect([phases('pull'), phases('push')]).toEqual([4, 4]);
  });

  test.each([1, 2, 3, 4])('pull %i fails: the rest is done later', async (pull) => {
    const sync = start();
    failing({ pull });
    await expect(sync.blending.run()).rejects.toThrow('the device');
    const before = sync.blender.jobs;
    expect(before).toBeLessThan(4);
    unregisterEngine(tf.backend());
    await sync.blending.run();
    await done(sync);
    expect(sync.blender.jobs).toBe(4);
  });

  test.each([1, 2, 3, 4])('push %i fails: no chunk is blended twice', async (push) => {
    const sync = start();
    failing({ push });
    await expect(sync.blending.run()).rejects.toThrow('the device');
    unregisterEngine(tf.backend());
    await sync.blending.run();
    await done(sync);
    expect(sync.blender.jobs).toBe(4);
  });

  test.each([1, 2, 3, 4])('blend %i fails: it is done later', async (failAt) => {
    const sync = start();
    sync.blender.failAt = failAt;
    await expect(sync.blending.run()).rejects.toThrow('the worker');
    await sync.blending.run();
    await done(sync);
  });

  test('after a failure no further chunk is begun', async () => {
    const sync = start();
    const count = failing({ pull: 1 });
    await expect(sync.blending.run()).rejects.toThrow('the device');
    expect(count.pulls).toBeLessThan(4); // of four chunks, the last ones wait for a slot
  });

  test.each([1, 2, 3, 4])('at once, move %i fails: the same', async (at) => {
    for (const which of ['pull', 'push']) {
      const sync = start();
      failing({ [which]: at });
      expect(() => sync.blending.runAtOnce?.()).toThrow('the device');
      unregisterEngine(tf.backend());
      expect(sync.blending.runAtOnce?.()).toBe(32);
      await done(sync);
    }
  });

  test('a weight that is frozen by its α is neither pulled nor pushed', async () => {
    const { store, a, b } = start();
    const count = failing({});
    const blending = store.blend({ stepSizeOf: (item) => (item === b ? 0.5 : null), round: 0 });
    expect(await blending.run()).toBe(8);
    expect([count.pulls, count.pushes]).toEqual([1, 1]);
    expect([fastOf(a)[0], ...fastOf(b)]).toEqual([9, 14, 15]);
    const whole = new HostBlendStore<Item>({
      chunkBytes: 1 << 20,
      slots: 1,
      blender: new InlineBlender(),
      clock: new Clock(),
    });
    whole.add([a, b]); // one chunk
    const sync = whole.blend({ stepSizeOf: (item) => (item === b ? 0.5 : null), round: 0 });
    Object.assign(count, { pulls: 0, pushes: 0 });
    await sync.run();
    expect([count.pulls, count.pushes]).toEqual([1, 1]);
    whole.blend({ stepSizeOf: (item) => (item === b ? 0.5 : null), round: 0 }).runAtOnce?.();
    expect([count.pulls, count.pushes]).toEqual([2, 2]);
  });
});

test('what the previous chunk left in a slot does not touch a frozen weight', async () => {
  const options = { chunkBytes: 16, slots: 1, blender: new InlineBlender(), clock: new Clock() };
  for (const atOnce of [false, true]) {
    const store = new HostBlendStore<Item>(options);
    const [x, a, b] = [
      itemOf(0, { shape: [4] }),
      itemOf(1, { shape: [2] }),
      itemOf(5, { shape: [2] }),
    ];
    store.add([x, a, b]); // x is the first chunk, a and b are the second
    store.take([x, a, b], 0);
    assign(x, [Infinity, Infinity, Infinity, Infinity]);
    const blending = store.blend({ stepSizeOf: (item) => (item === b ? null : 1), round: 0 });
    await (atOnce ? blending.runAtOnce?.() : blending.run());
    expect([await slowOf(store, a), await slowOf(store, b)]).toEqual([
      [1, 2],
      [5, 6],
    ]);
    store.dispose();
  }
});

test('a weight on the device that cannot be assigned keeps its slow values, and the rest is done later', async () => {
  const store = new DeviceTensorStore<Item>(new Clock());
  const [a, b] = [itemOf(1, { slow: 'device:f32' }), itemOf(1, { slow: 'device:f32' })];
  store.add([a, b]);
  store.take([a, b]);
  for (const item of [a, b]) assign(item, [3, 4, 5]);
  const blending = store.blend({ stepSizeOf: () => 0.5, round: 0 });
  const { numTensors } = tf.memory();
  vi.spyOn(b.variable, 'assign').mockImplementationOnce(() => {
    throw new Error('the device');
  });
  await expect(blending.run()).rejects.toThrow('the device');
  expect(tf.memory().numTensors).toBe(numTensors);
  expect([await slowOf(store, a), await slowOf(store, b)]).toEqual([
    [2, 3, 4],
    [1, 2, 3],
  ]);
  await blending.run();
  expect([a, b].map(fastOf)).toEqual([
    [2, 3, 4],
    [2, 3, 4],
  ]);
  store.dispose();
});

test('a store on the device that is disposed in mid-sync leaves the rest as it is, and holds nothing', async () => {
  const { numTensors } = tf.memory();
  const store = new DeviceTensorStore<Item>(new Clock());
  const items = [itemOf(1, { slow: 'device:f32' }), itemOf(1, { slow: 'device:f32' })];
  store.add(items);
  store.take(items);
  for (const item of items) assign(item, [3, 4, 5]);
  const done = store.blend({ stepSizeOf: () => 0.5, round: 0 }).run();
  store.dispose();
  await done;
  expect(items.map(fastOf)).toEqual([
    [2, 3, 4],
    [3, 4, 5],
  ]);
  for (const { variable } of items) variable.dispose();
  expect(tf.memory().numTensors).toBe(numTensors);
});

test('a weight that is gone is not written to', async () => {
  const { store, a } = start();
  a.variable.dispose();
  const count = failing({});
  await store.restore(() => true);
  expect(count.pushes).toBe(1); // b has one chunk
  store.atOnce?.restore(() => true);
  expect(count.pushes).toBe(2);
});

describe('staging slots', () => {
  const ring = (slots: number) => new Segment([], 'f32', { slots, isForThreads: true }).ring;

  test('are lent first come, first served', async () => {
    const two = ring(2);
    const [first, second] = [await two.acquire(), await two.acquire()];
    expect(new Set([first, second])).toEqual(new Set([0, 1]));
    const order: string[] = [];
    const waiting = ['x', 'y'].map(async (name) => {
      const slot = await two.acquire();
      order.push(`${name}${slot}`);
    });
    two.release(second);
    two.release(first);
    await Promise.all(waiting);
    expect(order).toEqual([`x${second}`, `y${first}`]);
    expect(() => two.acquireAtOnce()).toThrow('All staging slots are lent.');
    two.release(0);
    expect(two.acquireAtOnce()).toBe(0);
  });
});

test('no host memory for a weight that outgrew fp16: it stays as it was', () => {
  const { blender, clock } = start();
  const store = new HostBlendStore<Item>({ chunkBytes: 1 << 20, slots: 1, blender, clock });
  const item = itemOf(0, { shape: [64, 64], slow: 'host:f16' });
  store.add([item]);
  vi.stubGlobal('WebAssembly', {
    ...WebAssembly,
    Memory: function Memory() {
      throw new RangeError('no');
    },
  });
  expect(() => store.write(item, new Float32Array(64 * 64).fill(1e6))).toThrow(/host memory/);
  expect(item.isKeptInF32).toBe(false);
  expect(new Set(store.read(item))).toEqual(new Set([0]));
});

test('no host memory: the error says how much, and what to leave out', async () => {
  const store = new StoreByPlace<Item>({
    chunkBytes: 1 << 20,
    slots: 1,
    blender: new InlineBlender(),
    clock: new Clock(),
  });
  const before = itemOf(7);
  store.add([before]);
  store.take([before], 0);
  const { bytes } = store;
  vi.stubGlobal('WebAssembly', {
    ...WebAssembly,
    Memory: function Memory() {
      throw new RangeError('no');
    },
  });
  const [small, large] = [itemOf(0, { slow: 'device:f32' }), itemOf(0, { shape: [1 << 20] })];
  const { numTensors } = tf.memory();
  // 4 MiB of slow weights, a slot of 1 MiB, and a page that is not full.
  expect(() => store.add([small, large])).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(/allocate 6 MiB of host memory.*exclude: true/) as string,
      cause: new RangeError('no'),
    }),
  );
  expect(tf.memory().numTensors).toBe(numTensors); // nor is the other one kept
  expect(store.bytes).toEqual(bytes);
  expect(await slowOf(store, before)).toEqual([7, 8, 9]);
});
