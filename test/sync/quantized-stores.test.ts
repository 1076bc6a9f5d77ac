// Slow weights in fewer bits, in chunks: values that a format holds come through as they are.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { storedBytes } from '#workers/codecs/value-format.js';

import { InlineBlender } from '#src/sync/blender.js';
import { HostBlendStore } from '#src/sync/host-blend-store.js';
import { assign, Clock, fastOf, type Item, itemOf, slowOf } from './store-items.js';

beforeAll(() => tf.setBackend('cpu'));
beforeEach(() => tf.disposeVariables());

const SHAPE = [64, 65];
const SIZE = 64 * 65;
/** 127 … 0 over and over: whole numbers of 8 bits, and the largest of each block of 256 is 127. */
const times = (n: number) => Array.from({ length: SIZE }, (_, i) => n * (127 - (i % 128)));
const FORMATS = ['f16r8', 'f16', 'bf16', 'int8'] as const;

describe.each(FORMATS)('%s', (format) => {
  const start = () => {
    const slow = `host:${format}` as const;
    const blender = new InlineBlender();
    const store = new HostBlendStore<Item>({
      chunkBytes: 4096,
      slots: 2,
      blender,
      clock: new Clock(),
    });
    const all = [1, 2, 3].map(() => itemOf(0, { shape: SHAPE, slow })) as [Item, Item, Item];
    store.add(all);
    return { store, all };
  };

  test('taken, captured, written and restored', async () => {
    const { store, all } = start();
    for (const [i, item] of all.entries()) assign(item, times(2 ** i));
    const [a, b, c] = all;
    store.take([a], 1);
    await store.capture(new Map([[b.variable, b.variable]]), 1);
    store.write(c, Float32Array.from(times(4)));
    for (const [i, item] of all.entries()) expect(await slowOf(store, item)).toEqual(times(2 ** i));
    for (const item of all) assign(item, new Float32Array(SIZE));
    await store.restore((item) => item !== b);
    expect(fastOf(a)).toEqual(times(1));
    expect(fastOf(b)).toEqual(times(0));
    expect(fastOf(c)).toEqual(times(4));
    expect(store.bytes.slow).toBe(3 * storedBytes(format, SIZE));
    expect(store.description).toBe('inline');
    store.dispose();
  });

  test('blended on this side, of three neighbours the first and the last', async () => {
    for (const atOnce of [false, true]) {
      const { store, all } = start();
      const [a, b, c] = all;
      for (const item of all) assign(item, times(1));
      store.take(all, 0);
      assign(a, times(3));
      assign(b, times(3));
      assign(c, times(5));
      const options = { stepSizeOf: (item: Item) => (item === b ? null : 0.25), round: 1 };
      const blending = store.blend(options);
      expect(await (atOnce ? blending.runAtOnce?.() : blending.run())).toBe(2 * 4 * SIZE);
      // 1 + ¼·2 = 1.5 has no place in each format, but is not far away; 1 + ¼·4 = 2 has.
      expect(Math.abs((fastOf(a)[0] ?? NaN) / 127 - 1.5)).toBeLessThan(0.01);
      expect(fastOf(c)).toEqual(times(2));
      expect(await slowOf(store, c)).toEqual(times(2));
      expect(fastOf(b)).toEqual(times(3));
      expect(await slowOf(store, b)).toEqual(times(1));
      store.dispose();
    }
  });

  test('rounding draws by weight and by round: the same again in the same round', async () => {
    const { store, all } = start();
    const thirds = Array.from({ length: SIZE }, (_, i) => ((i % 128) + 1) / 3);
    for (const item of all) assign(item, thirds);
    const [a, b] = all;
    const taken = async (item: Item, round: number) => {
      store.take([item], round);
      return slowOf(store, item);
    };
    const first = await taken(a, 1);
    expect(first).not.toEqual(thirds.map(Math.fround));
    expect(await taken(b, 1)).not.toEqual(first);
    expect(await taken(a, 2)).not.toEqual(first);
    expect(await taken(a, 1)).toEqual(first);
    await store.capture(new Map([[a.variable, a.variable]]), 2);
    expect(await slowOf(store, a)).not.toEqual(first);
    await store.capture(new Map([[a.variable, a.variable]]), 1);
    expect(await slowOf(store, a)).toEqual(first);
    store.dispose();
  });

  test('a blend draws by weight and by element, whatever the chunks', async () => {
    const thirds = (n: number) => Array.from({ length: SIZE }, (_, i) => ((i % 128) + n) / 3);
    const { all } = start();
    const blended = async (chunkBytes: number) => {
      const blender = new InlineBlender();
      const store = new HostBlendStore<Item>({ chunkBytes, slots: 2, blender, clock: new Clock() });
      store.add(all);
      for (const item of all) assign(item, thirds(1));
      store.take(all, 0);
      for (const item of all) store.write(item, Float32Array.from(times(1)));
      for (const item of all) assign(item, thirds(2));
      await store.blend({ stepSizeOf: () => 0.3, round: 1 }).run();
      const slow = await Promise.all(all.map((item) => slowOf(store, item)));
      store.dispose();
      return slow;
    };
    const whole = await blended(1 << 20);
    expect(whole[0]).not.toEqual(whole[1]);
    expect(await blended(4096)).toEqual(whole);
  });

  test('what is too large for fp16 is kept in float32, however it comes', async () => {
    const isHalf = format.startsWith('f16');
    const large = times(1000); // up to 127,000
    for (const how of ['write', 'take', 'capture', 'inspect'] as const) {
      const { store, all } = start();
      const [a, b] = all;
      assign(b, times(2));
      store.take([b], 0);
      assign(a, large);
      if (how === 'write') store.write(a, Float32Array.from(large));
      if (how === 'take') store.take([a], 0);
      if (how === 'capture') await store.capture(new Map([[a.variable, a.variable]]), 0);
      if (how === 'inspect') expect(await store.inspect([a, b], [])).toBeNull();
      expect([how, a.isKeptInF32, b.isKeptInF32]).toEqual([how, isHalf, false]);
      const [own, others] = [
        isHalf ? 4 * SIZE : storedBytes(format, SIZE),
        2 * storedBytes(format, SIZE),
      ];
      expect(store.bytes.slow).toBe(own + others);
      if (how !== 'inspect' && isHalf) expect(await slowOf(store, a)).toEqual(large);
      expect(await slowOf(store, b)).toEqual(times(2));
      store.dispose();
    }
  });
});
