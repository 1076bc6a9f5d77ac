// fp16 that crosses the bus as halves: the device blends, and the host stores what it rounded.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { halfValue, roundHalf } from '#workers/codecs/half.js';

import type { HalfTransfers } from '#src/engine/device.js';
import { registerEngine, unregisterEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import { InlineBlender } from '#src/sync/blender.js';
import { HostBlendStore } from '#src/sync/host-blend-store.js';
import { assign, Clock, fastOf, type Item, itemOf, slowOf } from './store-items.js';

beforeAll(() => tf.setBackend('cpu'));
beforeEach(() => tf.disposeVariables());
afterEach(() => unregisterEngine(tf.backend()));

describe('halves that cross the bus', () => {
  const SHAPE = [64, 65];
  const SIZE = 64 * 65;
  /** Of each pull: item, round and first element. */
  const draws: number[][] = [];

  /** A device that blends halves itself, in plain numbers, and rounds to the nearest. */
  const onHalves = (failAt: { blend?: number; pull?: number } = {}) => {
    const count = { blends: 0, pulls: 0 };
    draws.length = 0;
    const halves: HalfTransfers = {
      blend(variable, slow, stepSize) {
        if (++count.blends === failAt.blend) throw new Error('the device');
        const next = variable.dataSync().map((f, i) => {
          const s = halfValue(slow[i] ?? NaN);
          return s + stepSize * (f - s);
        });
        tf.tidy(() => variable.assign(tf.tensor(next, variable.shape)));
      },
      pull(tensor, first, into, { item, round }) {
        draws.push([item, round, first]);
        if (++count.pulls === failAt.pull) throw new Error('the device');
        const values = tensor.dataSync().subarray(first, first + into.length);
        into.set([...values].map((value) => roundHalf(value, 0.5)));
      },
    };
    registerEngine(tf.backend(), { device: { ...currentDevice(), halves } });
    return count;
  };
  const make = () => {
    const store = new HostBlendStore<Item>({
      chunkBytes: 8000,
      slots: 2,
      blender: new InlineBlender(),
      clock: new Clock(),
    });
    const [half, small] = [
      itemOf(0, { shape: SHAPE, slow: 'host:f16' }),
      itemOf(1, { slow: 'host:f16' }),
    ];
    assign(
      half,
      Array.from({ length: SIZE }, (_, i) => i % 1024),
    );
    store.add([half, small]);
    return { store, half, small };
  };
  const expected = (plus: number) => Array.from({ length: SIZE }, (_, i) => (i % 1024) + plus);

  test('each weight is blended once and stored in its parts; small ones are blended here', async () => {
    const { store, half, small } = make();
    store.take([half, small], 0);
    for (const item of [half, small])
      assign(
        item,
        fastOf(item).map((x) => x + 8),
      );
    const count = onHalves();
    expect(store.atOnce).toBeNull();
    expect(store.description).toBe('device');
    expect(store.bytes.device).toBe(6 * SIZE);
    const blending = store.blend({ stepSizeOf: () => 0.5, round: 3 });
    expect(await blending.run()).toBe(2 * SIZE + 4 * 3);
    expect(fastOf(half)).toEqual(expected(4));
    expect(await slowOf(store, half)).toEqual(expected(4));
    expect(fastOf(small)).toEqual([5, 6, 7]);
    expect(count).toEqual({ blends: 1, pulls: 3 });
    expect(draws).toEqual([0, 2000, 4000].map((first) => [half.serial, 3, first])); // chunks of 2,000
    await blending.run();
    expect(count.blends).toBe(1);
    store.dispose();
  });

  test('broken off after the blend, it is only stored', async () => {
    const { store, half } = make();
    store.take([half], 0);
    assign(half, expected(8));
    const count = onHalves({ pull: 2 });
    const blending = store.blend({ stepSizeOf: (item) => (item === half ? 0.5 : null), round: 3 });
    await expect(blending.run()).rejects.toThrow('the device');
    expect(await blending.run()).toBe(2 * SIZE);
    expect(count.blends).toBe(1);
    expect(fastOf(half)).toEqual(expected(4));
    expect(await slowOf(store, half)).toEqual(expected(4));
    store.dispose();
  });

  test('gone after its blend, it is not read', async () => {
    const { store, half } = make();
    store.take([half], 0);
    const count = onHalves();
    const { halves } = currentDevice();
    const blend = (variable: tf.Variable) => variable.dispose();
    registerEngine(tf.backend(), {
      device: { ...currentDevice(), halves: { ...(halves as HalfTransfers), blend } },
    });
    await store.blend({ stepSizeOf: () => 0.5, round: 0 }).run();
    expect(count.pulls).toBe(0);
    store.dispose();
  });

  test('frozen or gone, it is left alone', async () => {
    const { store, half } = make();
    store.take([half], 0);
    const count = onHalves();
    await store.blend({ stepSizeOf: () => null, round: 0 }).run();
    const [small, neighbour] = [1, 2].map(() =>
      itemOf(0, { shape: [64, 64], slow: 'host:f16' }),
    ) as [Item, Item];
    const both = new HostBlendStore<Item>({
      chunkBytes: 1 << 20,
      slots: 1,
      blender: new InlineBlender(),
      clock: new Clock(),
    });
    both.add([small, neighbour]); // one chunk
    await both.blend({ stepSizeOf: (item) => (item === small ? 1 : null), round: 0 }).run();
    expect(draws).toEqual([[small.serial, 0, 0]]);
    Object.assign(count, { blends: 0, pulls: 0 });
    both.dispose();
    half.variable.dispose();
    await store.blend({ stepSizeOf: () => 0.5, round: 0 }).run();
    expect(count).toEqual({ blends: 0, pulls: 0 });
    store.dispose();
  });

  test('a weight that outgrows ±65504 is kept in float32, the others stay where they are', async () => {
    const { store, half } = make();
    const other = itemOf(0, { shape: SHAPE, slow: 'host:f16' });
    assign(other, expected(0));
    store.add([other]);
    store.take([half, other], 0);
    const before = store.bytes.slow;
    assign(half, expected(1e6));
    expect(await store.inspect([half, other], [])).toBeNull();
    expect([half.isKeptInF32, other.isKeptInF32]).toEqual([true, false]);
    expect(await slowOf(store, half)).toEqual(expected(0)); // not captured yet
    expect(store.bytes.slow).toBeGreaterThan(before);
    store.take([half], 0);
    expect(await slowOf(store, half)).toEqual(fastOf(half));
    expect(await slowOf(store, other)).toEqual(expected(0));
    store.dispose();
  });
});
