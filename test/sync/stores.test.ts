// The contract of a store of slow weights, in plain numbers: on the host in one chunk and in many, and on the device.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { registerEngine, unregisterEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import type { SlowFormat } from '#src/slow/slow-format.js';
import type { SlowStore } from '#src/slow/slow-store.js';
import { InlineBlender } from '#src/sync/blender.js';
import { DeviceTensorStore } from '#src/sync/device-tensor-store.js';
import { HostBlendStore } from '#src/sync/host-blend-store.js';
import { StoreByPlace } from '#src/sync/store-by-place.js';
import { assign, Clock, fastOf, type Item, itemOf, slowOf } from './store-items.js';

beforeAll(() => tf.setBackend('cpu'));
beforeEach(() => tf.disposeVariables());
afterEach(() => unregisterEngine(tf.backend()));

interface Kind {
  readonly make: () => SlowStore<Item>;
  readonly slow: SlowFormat;
}
const host = (chunkBytes: number) => ({
  chunkBytes,
  slots: 2,
  clock: new Clock(),
  blender: new InlineBlender(),
});
const KINDS: Record<string, Kind> = {
  'host, one chunk': { make: () => new HostBlendStore(host(1 << 20)), slow: 'host:f32' },
  'host, two elements a chunk': { make: () => new HostBlendStore(host(8)), slow: 'host:f32' },
  device: { make: () => new DeviceTensorStore(new Clock()), slow: 'device:f32' },
  'by place, host': { make: () => new StoreByPlace(host(8)), slow: 'host:f32' },
  'by place, device': { make: () => new StoreByPlace(host(8)), slow: 'device:f32' },
};

describe.each(Object.keys(KINDS))('%s', (name) => {
  const { make, slow } = KINDS[name] as Kind;
  const isHost = slow === 'host:f32';
  /** a: 1 2 3, b: 10 11 12 13 14, and their slow values are taken. */
  const start = () => {
    const store = make();
    const [a, b] = [itemOf(1, { slow }), itemOf(10, { shape: [5], slow })];
    store.add([a, b]);
    expect(store.take([a, b], 0)).toEqual([]);
    return { store, a, b };
  };

  test('slow values are 0 until they are captured or written', async () => {
    const store = make();
    const [a, b] = [itemOf(1, { slow }), itemOf(10, { shape: [5], slow })];
    store.add([a, b]);
    expect(await slowOf(store, a)).toEqual([0, 0, 0]);
    await store.capture(new Map([[b.variable, b.variable]]), 0);
    expect(await slowOf(store, a)).toEqual([0, 0, 0]);
    expect(await slowOf(store, b)).toEqual([10, 11, 12, 13, 14]);
    const written = Float32Array.of(7, 8, 9);
    store.write(a, written);
    written.fill(0); // it stays the caller's
    expect(await slowOf(store, a)).toEqual([7, 8, 9]);
    expect([...(await store.kept(a))]).toEqual([7, 8, 9]);
    await store.ready();
    await store.yield();
    store.dispose();
  });

  test('taken values are those of the call, and copies stay as they were read', async () => {
    const { store, a } = start();
    const read = await store.read(a);
    assign(a, [4, 5, 6]);
    expect(await slowOf(store, a)).toEqual([1, 2, 3]);
    expect(store.take([a], 0)).toEqual([]);
    expect(await slowOf(store, a)).toEqual([4, 5, 6]);
    expect([...read]).toEqual([1, 2, 3]);
    store.dispose();
  });

  test('captured from another tensor; of a weight or a tensor that is gone, nothing', async () => {
    const { store, a, b } = start();
    const [mine, gone] = [tf.tensor1d([7, 8, 9]), tf.tensor1d([0, 0, 0, 0, 0])];
    gone.dispose();
    await store.capture(
      new Map([
        [a.variable, mine],
        [b.variable, gone],
      ]),
      0,
    );
    mine.dispose();
    expect(await slowOf(store, a)).toEqual([7, 8, 9]);
    expect(await slowOf(store, b)).toEqual([10, 11, 12, 13, 14]);
    store.dispose();
  });

  test('a NaN or an infinity is not captured, and named; the others are captured', async () => {
    const { store, a, b } = start();
    const given = (...values: number[]) => tf.tensor1d(values);
    const [bad, good, worse] = [
      given(1, NaN, 3),
      given(0, 0, 0, 0, 0),
      given(0, 0, 0, 0, -Infinity),
    ];
    const capture = (of: tf.Tensor) =>
      store.capture(
        new Map([
          [a.variable, bad],
          [b.variable, of],
        ]),
        0,
      );
    expect(await capture(good)).toEqual([a.variable]);
    expect(await slowOf(store, a)).toEqual([1, 2, 3]);
    expect(await slowOf(store, b)).toEqual([0, 0, 0, 0, 0]);
    expect(await capture(worse)).toEqual([a.variable, b.variable]);
    bad.dispose(); // its model is gone
    expect(await capture(worse)).toEqual([b.variable]);
    expect(await slowOf(store, b)).toEqual([0, 0, 0, 0, 0]);
    tf.dispose([good, worse]);
    store.dispose();
  });

  test('a blend moves both by α; null leaves both; it is done once, and says its bytes', async () => {
    for (const atOnce of [false, true]) {
      const { store, a, b } = start();
      assign(a, [5, 6, 7]);
      assign(b, [0, 0, 0, 0, 0]);
      const blending = store.blend({ stepSizeOf: (item) => (item === a ? 0.25 : null), round: 0 });
      const run = async () => (atOnce ? blending.runAtOnce?.() : blending.run());
      expect(await run()).toBe(isHost ? 12 : 0);
      expect([fastOf(a), await slowOf(store, a)]).toEqual([
        [2, 3, 4],
        [2, 3, 4],
      ]);
      expect([fastOf(b), await slowOf(store, b)]).toEqual([
        [0, 0, 0, 0, 0],
        [10, 11, 12, 13, 14],
      ]);
      assign(a, [9, 9, 9]);
      expect(await run()).toBe(isHost ? 12 : 0);
      expect(fastOf(a)).toEqual([9, 9, 9]); // it was over
      store.dispose();
    }
  });

  test('another α for each, and for a part of a chunk', async () => {
    for (const atOnce of [false, true]) {
      const { store, a, b } = start();
      const c = itemOf(100, { shape: [2], slow });
      store.add([c]);
      store.take([c], 0);
      for (const item of [a, b, c])
        assign(
          item,
          fastOf(item).map((x) => x + 8),
        );
      const stepSizes = new Map([
        [a, 0.5],
        [b, 0.25],
        [c, 0.25],
      ]);
      const blending = store.blend({ stepSizeOf: (item) => stepSizes.get(item) ?? null, round: 1 });
      expect(await (atOnce ? blending.runAtOnce?.() : blending.run())).toBe(isHost ? 40 : 0);
      expect([a, b, c].map(fastOf)).toEqual([
        [5, 6, 7],
        [12, 13, 14, 15, 16],
        [102, 103],
      ]);
      store.dispose();
    }
  });

  test('α 0 and 1 are exact, and a weight between two is left out', async () => {
    const { store, a, b } = start();
    const c = itemOf(1, { shape: [2], slow });
    store.dispose();
    const other = make();
    other.add([a, b, c]);
    other.take([a, b, c], 0);
    const tiny = 2 ** -149;
    for (const item of [a, b, c]) other.write(item, new Float32Array(item.size).fill(3 * tiny));
    assign(a, [tiny, -0, 1e30]);
    assign(b, [0, 0, 0, 0, 0]);
    assign(c, [tiny, 5 * tiny]);
    const stepSizes = new Map([
      [a, 1],
      [c, 1],
    ]);
    await other.blend({ stepSizeOf: (item) => stepSizes.get(item) ?? null, round: 0 }).run();
    const [first, last] = [
      [tiny, -0, Math.fround(1e30)],
      [tiny, 5 * tiny],
    ];
    expect([fastOf(a), await slowOf(other, a)]).toEqual([first, first]);
    expect([fastOf(c), await slowOf(other, c)]).toEqual([last, last]);
    expect(await slowOf(other, b)).toEqual([3, 3, 3, 3, 3].map((n) => n * tiny));
    await other.blend({ stepSizeOf: (item) => (item === b ? 0 : null), round: 0 }).run();
    expect(fastOf(b)).toEqual([3, 3, 3, 3, 3].map((n) => n * tiny));
    other.dispose();
  });

  test('a weight that is gone is left out, and the others go on', async () => {
    for (const atOnce of [false, true]) {
      const { store, a, b } = start();
      for (const item of [a, b])
        assign(
          item,
          fastOf(item).map((x) => x + 2),
        );
      a.variable.dispose();
      const blending = store.blend({ stepSizeOf: () => 0.5, round: 0 });
      await (atOnce ? blending.runAtOnce?.() : blending.run());
      expect(fastOf(b)).toEqual([11, 12, 13, 14, 15]);
      assign(b, [0, 0, 0, 0, 0]);
      if (atOnce) store.atOnce?.restore(() => true);
      else await store.restore(() => true);
      expect(fastOf(b)).toEqual([11, 12, 13, 14, 15]);
      store.dispose();
    }
  });

  test('restoring gives the fast weights that are meant their slow values', async () => {
    for (const atOnce of [false, true]) {
      const { store, a, b } = start();
      assign(a, [0, 0, 0]);
      assign(b, [0, 0, 0, 0, 0]);
      const isMeant = (item: Item) => item === b;
      if (atOnce) store.atOnce?.restore(isMeant);
      else await store.restore(isMeant);
      expect([a, b].map(fastOf)).toEqual([
        [0, 0, 0],
        [10, 11, 12, 13, 14],
      ]);
      assign(b, [0, 0, 0, 0, 0]);
      expect(await slowOf(store, b)).toEqual([10, 11, 12, 13, 14]);
      store.dispose();
    }
  });

  test('never captured: a blend starts from zeros', async () => {
    for (const atOnce of [false, true]) {
      const store = make();
      const a = itemOf(1, { slow });
      store.add([a]);
      const blending = store.blend({ stepSizeOf: () => 0.5, round: 0 });
      await (atOnce ? blending.runAtOnce?.() : blending.run());
      expect([fastOf(a), await slowOf(store, a)]).toEqual([
        [0.5, 1, 1.5],
        [0.5, 1, 1.5],
      ]);
      store.dispose();
    }
  });

  test('never captured: zeros on the host, and on the device nothing to restore', async () => {
    const store = make();
    const [a, gone] = [itemOf(1, { slow }), itemOf(1, { slow })];
    store.add([a, gone]);
    gone.variable.dispose();
    await store.restore(() => true);
    store.atOnce?.restore(() => true);
    expect(fastOf(a)).toEqual(isHost ? [0, 0, 0] : [1, 2, 3]);
    store.dispose();
  });

  test('inspecting finds the first NaN or infinity, of the weights and of what is beside them', async () => {
    const { store, a, b } = start();
    const beside = [tf.scalar(1), tf.scalar(Infinity)];
    const inspect = async (items: Item[], of: tf.Tensor[]) => {
      const found = await store.inspect(items, of);
      expect(store.atOnce?.inspect(items, of)).toBe(found);
      return found;
    };
    expect(await inspect([a, b], beside.slice(0, 1))).toBeNull();
    expect(await inspect([a, b], beside)).toBe(beside[1]);
    assign(b, [0, 0, 0, 0, NaN]);
    expect(await inspect([a, b], beside)).toBe(b.variable);
    expect(await inspect([a], [])).toBeNull();
    assign(a, [-Infinity, 0, 0]);
    expect(await inspect([a, b], beside)).toBe(a.variable);
    tf.dispose(beside);
    store.dispose();
  });

  test('parts are those that are meant, in order, with all of their values', async () => {
    const { store, a, b } = start();
    const empty = itemOf(0, { shape: [0], slow });
    store.add([empty]);
    const found = new Map<Item, number[]>();
    for await (const { item, start: at, values } of store.parts((item) => item !== a)) {
      const all = found.get(item) ?? [];
      expect(at).toBe(all.length);
      found.set(item, [...all, ...values]);
    }
    expect([...found]).toEqual([[b, [10, 11, 12, 13, 14]]]);
    store.dispose();
  });

  test('bytes, and what is freed', async () => {
    const { numTensors } = tf.memory();
    const { store, a, b } = start();
    const total = () => (isHost ? store.bytes.slow : store.bytes.device);
    expect(total()).toBe(32);
    expect(isHost ? store.bytes.device : store.bytes.slow).toBe(0);
    expect(store.bytes.staging > 0).toBe(isHost);
    const before = await slowOf(store, b);
    store.prune((item) => item === b);
    // A chunk is freed with the last weight in it.
    expect(total() < 32).toBe(!name.includes('one chunk'));
    expect(await slowOf(store, b)).toEqual(before);
    store.dispose();
    expect(store.bytes).toEqual({ slow: 0, staging: 0, device: 0 });
    tf.dispose([a.variable, b.variable]);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  test('where the blend runs', () => {
    const { store } = start();
    expect(store.description).toBe(isHost ? 'inline' : 'device');
    expect(make().description).toBe(name === 'device' ? 'device' : 'inline');
    store.dispose();
  });

  test('a device that has to be awaited can do nothing at once', async () => {
    const { store, a } = start();
    const { pullsAtOnce: _, ...device } = currentDevice();
    registerEngine(tf.backend(), {
      device: { ...device, pull: async (...args) => device.pull(...args) },
    });
    expect(store.atOnce).toBeNull();
    assign(a, [4, 5, 6]);
    expect(store.take([a], 0)).toEqual([a]); // a capture follows
    expect(await slowOf(store, a)).toEqual([1, 2, 3]);
    await store.capture(new Map([[a.variable, a.variable]]), 0);
    expect(await slowOf(store, a)).toEqual([4, 5, 6]);
    store.dispose();
  });
});
