// The slow weights as plain data, from a store that may have lost some of them.

import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from 'slowlane';
import { expect, test } from 'vitest';

import { keptWeights } from '#src/lookahead/weights/kept.js';
import type { Tracked, Tracking } from '#src/lookahead/weights/tracking.js';
import '../../engines.js';
import { onCleanSlate } from '../../optimizers/state/clean-slate.js';

onCleanSlate();

const itemOf = (name: string) => ({
  variable: tf.tidy(() => tf.variable(tf.zeros([1, 2]), true, name)),
  slot: null,
});
const lost = (code: string) => new SlowlaneError(code as never, 'gone');

interface Parts {
  items?: ReturnType<typeof itemOf>[];
  waiting?: object[];
  uncaptured?: string[];
  capture?: () => Promise<unknown>;
  kept?: (name: string) => Promise<Float32Array | null>;
}

function tracking({ items = [], waiting = [], uncaptured = [], capture, kept }: Parts): Tracking {
  const parts = {
    needsCapture: capture !== undefined,
    capture,
    live: (isMeant: (tracked: Tracked) => boolean) =>
      items.filter((item) => isMeant(item as never)),
    isCaptured: ({ variable }: Tracked) => !uncaptured.includes(variable.name),
    store: {
      kept: ({ variable }: Tracked) =>
        kept?.(variable.name) ?? Promise.resolve(Float32Array.of(variable.name.length, 2)),
    },
    waiting,
  };
  return parts as unknown as Tracking;
}

test('of all that are there, and of those that wait for their weights; without slots', async () => {
  const items = [itemOf('a'), { ...itemOf('slot'), slot: 0 as never }, itemOf('bb')];
  const values = Float32Array.of(7, 8);
  const waiting = [
    { name: 'late', shape: [2], slot: null, values },
    { name: 'late', shape: [2], slot: 1, values },
  ];
  const kept = await keptWeights(tracking({ items, waiting }), 3);
  expect(kept).toEqual([
    { name: 'a', shape: [1, 2], values: Float32Array.of(1, 2) },
    { name: 'bb', shape: [1, 2], values: Float32Array.of(2, 2) },
    { name: 'late', shape: [2], values },
  ]);
  expect(kept[2]?.values).not.toBe(values);
  expect(kept[0]?.shape).not.toBe(items[0]?.variable.shape);
});

test('one that cannot be captured is an error of its own', async () => {
  const { variable } = itemOf('a');
  const capture = async () => ({ variable, isFirst: true });
  await expect(keptWeights(tracking({ capture }), 3)).rejects.toMatchObject({
    code: 'NON_FINITE',
    details: { weight: 'a', step: 3 },
  });
});

test.each(['DEVICE_LOST', 'DEVICE_FAILED'])(
  'what went with the device is named by %s, and the others are in its details',
  async (code) => {
    const items = ['a', 'b', 'c', 'd', 'e'].map(itemOf);
    const cause = lost(code);
    const kept = (name: string) =>
      name === 'e' ? Promise.resolve(Float32Array.of(5, 6)) : Promise.reject(cause);
    const failed = keptWeights(tracking({ items, kept }), 3);
    await expect(failed).rejects.toMatchObject({
      code,
      cause,
      message: expect.stringMatching(
        /of 4 of 5 weights \('a', 'b', 'c', …\) .* details\.slowWeights has those of the others\./,
      ) as string,
      details: {
        lostWeights: ['a', 'b', 'c', 'd'],
        slowWeights: [{ name: 'e', shape: [1, 2], values: Float32Array.of(5, 6) }],
      },
    });
    const three = keptWeights(tracking({ items: items.slice(0, 3), kept }), 3);
    await expect(three).rejects.toThrow(/of 3 of 3 weights \('a', 'b', 'c'\) were/);
    await expect(three).rejects.not.toThrow('has those of the others');
  },
);

test('a device that is lost with nothing on it is no error; nor what was never captured', async () => {
  const items = [itemOf('a'), itemOf('b')];
  const capture = () => Promise.reject(lost('DEVICE_LOST'));
  expect(await keptWeights(tracking({ items, capture }), 3)).toHaveLength(2);
  const failed = keptWeights(tracking({ items, capture, uncaptured: ['b'] }), 3);
  await expect(failed).rejects.toMatchObject({ details: { lostWeights: ['b'] } });
  expect(await keptWeights(tracking({ items, uncaptured: ['b'] }), 3)).toHaveLength(1);
});

test('any other error is thrown as it is', async () => {
  for (const cause of [new Error('mine'), lost('NON_FINITE'), lost('NO_DEVICE_LOST')]) {
    const capture = () => Promise.reject(cause);
    await expect(keptWeights(tracking({ capture }), 3)).rejects.toBe(cause);
  }
});

test('a weight that is disposed meanwhile is left out, whatever has become of its values', async () => {
  const items = [itemOf('a'), itemOf('b')];
  const kept = async (name: string) => {
    if (name === 'a') items[0]?.variable.dispose();
    return Float32Array.of(1, 2);
  };
  expect((await keptWeights(tracking({ items, kept }), 3)).map(({ name }) => name)).toEqual(['b']);
});
