// Slow weights in two places: each call reaches the store that has the weight, and both.

import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';

import { registerEngine, unregisterEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import type { SlowStore } from '#src/slow/slow-store.js';
import { InlineBlender } from '#src/sync/blender.js';
import { HostStore } from '#src/sync/chunk-memory.js';
import { HostBlendStore } from '#src/sync/host-blend-store.js';
import { StoreByPlace } from '#src/sync/store-by-place.js';
import { assign, Clock, fastOf, type Item, itemOf, slowOf } from './store-items.js';

beforeAll(() => tf.setBackend('cpu'));
beforeEach(() => tf.disposeVariables());
afterEach(() => {
  unregisterEngine(tf.backend());
  vi.unstubAllGlobals();
});

const options = (chunkBytes = 1 << 20) => ({
  chunkBytes,
  slots: 1,
  blender: new InlineBlender(),
  clock: new Clock(),
});
const start = () => {
  const store = new StoreByPlace<Item>(options());
  const [onHost, onDevice] = [itemOf(1), itemOf(10, { slow: 'device:f32' })];
  store.add([onHost, onDevice]);
  expect(store.take([onHost, onDevice], 0)).toEqual([]);
  return { store, onHost, onDevice };
};

test('each weight is in its own place, once', async () => {
  const { store, onHost, onDevice } = start();
  expect([store.bytes.slow, store.bytes.device]).toEqual([12, 12]);
  expect(store.description).toBe('inline and device');
  store.write(onHost, Float32Array.of(4, 5, 6));
  store.write(onDevice, Float32Array.of(7, 8, 9));
  expect(await slowOf(store, onHost)).toEqual([4, 5, 6]);
  expect(await slowOf(store, onDevice)).toEqual([7, 8, 9]);
  expect([...(await store.kept(onDevice))]).toEqual([7, 8, 9]);
  const items: Item[] = [];
  for await (const { item } of store.parts(() => true)) items.push(item);
  expect(items).toEqual([onHost, onDevice]);
  const blending = store.blend({ stepSizeOf: () => 0.5, round: 0 });
  assign(onHost, [6, 7, 8]);
  assign(onDevice, [9, 10, 11]);
  expect(await blending.run()).toBe(12);
  expect([onHost, onDevice].map(fastOf)).toEqual([
    [5, 6, 7],
    [8, 9, 10],
  ]);
  const stranger = itemOf(0);
  store.dispose();
  expect(() => store.read(stranger)).toThrow(
    `'${stranger.variable.name}' was not added to this store`,
  );
});

test('a NaN is found in either, and what is beside them is looked at once', async () => {
  const { store, onHost, onDevice } = start();
  const beside = tf.scalar(1);
  const sum = vi.spyOn(tf.engine(), 'runKernel');
  expect(await store.inspect([onHost, onDevice], [beside])).toBeNull();
  const sums = sum.mock.calls.filter(([name]) => name === 'Sum').length;
  sum.mockRestore();
  expect(sums).toBe(3);
  const inspect = async () => {
    const found = await store.inspect([onHost, onDevice], [beside]);
    expect(store.atOnce?.inspect([onHost, onDevice], [beside])).toBe(found);
    return found;
  };
  assign(onDevice, [0, NaN, 0]);
  expect(await inspect()).toBe(onDevice.variable);
  assign(onHost, [0, 0, NaN]);
  expect(await inspect()).toBe(onHost.variable);
  beside.dispose();
  store.dispose();
});

test('can do something at once only if both can', () => {
  const { store } = start();
  expect(store.atOnce).not.toBeNull();
  const halves = { blend: () => undefined, pull: () => undefined };
  registerEngine(tf.backend(), { device: { ...currentDevice(), halves } });
  expect(store.atOnce).toBeNull(); // the host's cannot, the device's can
  store.dispose();
});

test('waits for both, and gives both a turn', async () => {
  const store = new StoreByPlace<Item>(options());
  const calls: string[] = [];
  const engineStore = new HostBlendStore<Item>(options());
  Object.assign(engineStore, {
    ready: () => Promise.resolve(void calls.push('ready')),
    yield: () => Promise.resolve(void calls.push('yield')),
  });
  registerEngine(tf.backend(), {
    device: currentDevice(),
    slowStore: () => engineStore as unknown as SlowStore<never>,
  });
  store.add([itemOf(1), itemOf(1, { slow: 'device:f32' })]);
  expect(engineStore.bytes.slow).toBe(12); // the engine's store is the host's
  await store.ready();
  await store.yield();
  expect(calls).toEqual(['ready', 'yield']);
  store.dispose();
});

test('an engine without a store of its own: the host has the slow weights', () => {
  registerEngine(tf.backend(), { device: currentDevice() });
  const store = new StoreByPlace<Item>(options());
  store.add([itemOf(1)]);
  expect([store.description, store.bytes.slow]).toEqual(['inline', 12]);
  store.dispose();
});

test('which fp16 weights the device blends: the bytes of the largest, and the word for it', () => {
  const store = new HostBlendStore<Item>(options());
  store.add([itemOf(0, { shape: [9000], slow: 'host:f16' }), itemOf(0, { shape: [100, 100] })]);
  const halves = { blend: () => undefined, pull: () => undefined };
  const device = { ...currentDevice(), halves };
  const register = () => registerEngine(tf.backend(), { device });
  register();
  expect(store.bytes.device).toBe(0); // one dimension stays float32, and so does host:f32
  const large = itemOf(0, { shape: [64, 65], slow: 'host:f16' });
  store.add([large]);
  expect([store.bytes.device, store.description]).toEqual([6 * 64 * 65, 'device']);
  unregisterEngine(tf.backend());
  expect([store.bytes.device, store.description]).toEqual([0, 'inline']);
  const others = new HostBlendStore<Item>(options());
  others.add([itemOf(0)]);
  register();
  expect(others.description).toBe('inline');
  store.dispose();
  others.dispose();
});

test('staging memory: a slot of the longest chunk, and 4 KiB for the kernel', () => {
  const store = new HostBlendStore<Item>(options());
  store.add([itemOf(0, { shape: [1 << 18] })]);
  const { slow, staging } = store.bytes;
  expect(slow).toBe(1 << 20);
  expect(staging).toBeGreaterThanOrEqual((1 << 20) + 4096);
  expect(staging).toBeLessThan((1 << 20) + 4096 + 256);
  store.dispose();
});

test('on wasm a chunk is 128 KiB at most, and is written to where the weight is', async () => {
  await tf.setBackend('wasm');
  const blender = new InlineBlender();
  const store = new HostBlendStore<Item>({ ...options(), blender, slots: 1 });
  const item = itemOf(1, { shape: [1 << 16] });
  store.add([item]);
  expect(store.bytes.staging).toBeLessThan(2 ** 17 + 4096 + 256);
  store.take([item], 0);
  assign(item, Array(1 << 16).fill(9));
  const before = { dataId: item.variable.dataId, ...tf.memory() };
  expect(await store.blend({ stepSizeOf: () => 0.5, round: 0 }).run()).toBe(2 ** 18);
  expect(item.variable.dataId).toBe(before.dataId);
  expect(tf.memory().numBytes).toBe(before.numBytes);
  const slow = await slowOf(store, item);
  expect([fastOf(item)[65_535], slow[65_535]]).toEqual([32_772.5, 32_772.5]); // half-way from 65,536 to 9
  store.dispose();
  await tf.setBackend('cpu');
});

test('3 GiB are two memories, neither above 2 GiB but for its staging', () => {
  const pages: number[] = [];
  vi.stubGlobal('WebAssembly', {
    ...WebAssembly,
    Memory: function Memory({ initial, maximum }: { initial: number; maximum: number }) {
      expect(maximum).toBe(initial);
      pages.push(initial);
    },
  });
  const store = new HostStore<Item>({ chunkBytes: 2 ** 28, slots: 2 });
  store.add([{ ...itemOf(0), size: 3 * 2 ** 28 }]);
  // Chunks of ¼ GiB: 8 and 4, and twice a slot of ¼ GiB.
  const gibibytes = pages.map((count) => (count * 65_536) / 2 ** 30);
  expect(gibibytes.map((each) => each.toFixed(2))).toEqual(['2.50', '1.50']);
  expect(store.chunks.length).toBe(12);
});

test('memory is shared where the platform shares it, and not where it does not', async () => {
  const memories: WebAssembly.Memory[] = [];
  class Watching extends InlineBlender {
    override runsInline(): boolean {
      return false;
    }
    override async blend(job: Parameters<InlineBlender['blend']>[0]): Promise<void> {
      memories.push(job.memory);
      return super.blend(job);
    }
  }
  const run = async () => {
    const store = new HostBlendStore<Item>({ ...options(), blender: new Watching() });
    const item = itemOf(1);
    store.add([item]);
    store.take([item], 0);
    await store.blend({ stepSizeOf: () => 0.5, round: 0 }).run();
    store.dispose();
    return memories.pop()?.buffer;
  };
  const Shared = SharedArrayBuffer;
  expect(await run()).toBeInstanceOf(Shared);
  vi.stubGlobal('SharedArrayBuffer', undefined);
  expect(await run()).not.toBeInstanceOf(Shared);
});
