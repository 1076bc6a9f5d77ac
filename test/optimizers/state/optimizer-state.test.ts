// The state of all weights: what waits, what is found, what is freed, and in which order.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test, vi } from 'vitest';

import { registerEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import { Host } from './plain-host.js';
import { make, weight, pending, load, listed, snapshot } from './small-state.js';
import { onCleanSlate } from './clean-slate.js';

const before = onCleanSlate();

test('weights are seen once, in the order in which they came, and are fresh', () => {
  const state = make();
  expect([state.isEmpty, state.weights]).toEqual([true, []]);
  const [a, b] = [weight('a'), weight('b')];
  expect(state.of(a)).toBeUndefined();
  state.adopt([b, a, b]);
  state.adopt([a, b]);
  expect([state.isEmpty, state.weights]).toEqual([false, [b, a]]);
  expect(listed(state)).toEqual([
    ['b', 0, 0.5, 0],
    ['a', 0, 0.5, 0],
  ]);
  expect(state.of(a)?.weight).toBe(a);
  state.dispose();
  expect([state.isEmpty, state.list()]).toEqual([true, []]);
});

describe('leaving out', () => {
  test('forget() frees what is known and what waits, and leaves the others', async () => {
    const state = make();
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => weight(name)) as [
      tf.Variable,
      tf.Variable,
      tf.Variable,
      tf.Variable,
    ];
    await load(state, [pending('a', 1), pending('b', 2), pending('c', 3), pending('d', 4)]);
    state.adopt([a, b]);
    state.forget([b, c, weight('never')]);
    expect(state.weights).toEqual([a]);
    expect((await snapshot(state)).tensors.map(([name]) => name)).toEqual([
      'a/m',
      'a/v',
      'd/m',
      'd/v',
    ]);
    expect(tf.memory().numTensors).toBe(before() + 5 + 2 + 2);
    state.adopt([c, d]);
    expect(listed(state)).toEqual([
      ['a', 1, 101, 1],
      ['c', 0, 0.5, 0],
      ['d', 4, 104, 4],
    ]);
    state.dispose();
  });

  test('forget() where nothing waits takes any weight', () => {
    const state = make();
    state.forget([weight('a')]);
    expect(state.isEmpty).toBe(true);
  });

  test('reset() makes all fresh and drops what waits; of some, only those', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => weight(name)) as [
      tf.Variable,
      tf.Variable,
      tf.Variable,
    ];
    const start = async () => {
      const state = make();
      await load(state, [pending('a', 1), pending('b', 2), pending('c', 3)]);
      state.adopt([a, b]);
      return state;
    };
    const some = await start();
    some.reset([b]);
    some.adopt([c]);
    expect(listed(some)).toEqual([
      ['a', 1, 101, 1],
      ['b', 0, 0.5, 0],
      ['c', 3, 103, 3],
    ]);
    some.dispose();
    const all = await start();
    all.reset();
    all.adopt([c]);
    expect(listed(all)).toEqual([
      ['a', 0, 0.5, 0],
      ['b', 0, 0.5, 0],
      ['c', 0, 0.5, 0],
    ]);
    all.dispose();
  });

  test('reset() does not touch state of a weight that is gone', () => {
    const state = make();
    const [a, b] = [weight('a'), weight('b')];
    state.adopt([a, b]);
    a.dispose();
    state.reset();
    expect(state.weights).toEqual([b]);
    state.dispose();
  });

  test('assertWithin: all state has to be of the weights given, and what waits, too', async () => {
    const state = make();
    const [a, b, c] = [weight('a'), weight('b'), weight('c')];
    state.assertWithin([]);
    state.adopt([a]);
    state.assertWithin([c, a]);
    expect(() => state.assertWithin([c])).toThrow(/state of 'a'/);
    await load(state, [pending('a', 1), pending('b', 2)]);
    expect(() => state.assertWithin([a, c])).toThrow(/a weight that was restored/);
    state.assertWithin([a, b]);
    expect(() => state.assertWithin([a, c])).toThrow(/state of 'b'/);
    tf.dispose([a, b]);
    state.assertWithin([c]);
    state.dispose();
  });
});

describe('the names of the weights without state', () => {
  test('are those that tfjs counts with the known ones, and with those that were met', async () => {
    const state = make();
    const [a, b] = [weight('d_D1/k'), weight('e_E1/k')];
    weight('d_D2/k');
    weight('e_E2/k');
    weight('f_F1/k');
    await load(state, [pending('d_D1/k', 1), pending('e_E1/k', 2)], ['d_D2/k', 'e_E2/k']);
    state.adopt([a]);
    expect((await snapshot(state)).others).toEqual(['d_D2/k', 'e_E2/k']); // once each
    state.meet([b], { isWhole: false });
    expect((await snapshot(state)).others).toEqual(['d_D2/k', 'e_E2/k']);
    state.dispose();
  });
});

describe('on the host', () => {
  const SIZE = 4096;
  const onHost = (hosts: Host[]) => {
    registerEngine(tf.backend(), {
      device: currentDevice(),
      offloadedState: () => {
        const host = new Host();
        hosts.push(host);
        return host;
      },
    });
    return make('host:f32');
  };

  test('one memory for all large weights; small ones stay on the device', () => {
    const hosts: Host[] = [];
    const state = onHost(hosts);
    const [small, a, b] = [weight('s'), weight('a', SIZE), weight('b', SIZE)];
    state.adopt([small]);
    expect(hosts.length).toBe(0);
    state.adopt([a, b]);
    expect([hosts.length, hosts[0]?.held]).toEqual([1, 4]);
    expect(state.list().map((one) => one.weight)).toEqual([small, small]);
    state.dispose();
    expect(hosts[0]?.held).toBe(0);
  });

  test('the end of a step frees what is uploaded and starts the downloads; flush() waits for them', async () => {
    const hosts: Host[] = [];
    const state = onHost(hosts);
    state.endStep(); // nothing is there yet
    await state.flush();
    expect(state.isPending).toBe(false);
    const a = weight('a', SIZE);
    state.adopt([a]);
    const [host] = hosts as [Host];
    const calls: string[] = [];
    vi.spyOn(host, 'startDownloads').mockImplementation(() => void calls.push('downloads'));
    vi.spyOn(host, 'dispose').mockImplementation(() => void calls.push('dispose'));
    const { numTensors } = tf.memory();
    state.of(a)?.prepare();
    expect(tf.memory().numTensors).toBe(numTensors + 2);
    state.endStep();
    expect([calls, tf.memory().numTensors]).toEqual([['downloads'], numTensors]);
    Object.assign(host, { isPending: true });
    expect(state.isPending).toBe(true);
    vi.spyOn(host, 'flush').mockRejectedValueOnce(new Error('the device'));
    await expect(state.flush()).rejects.toThrow('the device');
    state.dispose();
    expect(calls).toEqual(['downloads', 'downloads', 'dispose']);
  });

  test('a NaN is seen, of one weight of two, and in state that was only met', async () => {
    const state = onHost([]);
    const [a, b] = [weight('a', SIZE), weight('b', SIZE)];
    await load(state, [pending('a', 1, SIZE), pending('b', NaN, SIZE)]);
    state.adopt([a]);
    expect(await state.firstBadOnHost(() => true)).toBeNull();
    state.meet([b], { isWhole: false });
    expect(await state.firstBadOnHost(() => true)).toEqual({ weight: b, slot: 'm' });
    expect(await state.firstBadOnHost((meant) => meant === a)).toBeNull();
    b.dispose();
    expect(await state.firstBadOnHost(() => true)).toBeNull();
    state.dispose();
  });

  test('saved one after the other; if reading fails, what was held is freed', async () => {
    const state = make('device:q8');
    const all = [weight('a', SIZE), weight('b', SIZE)];
    state.adopt(all);
    const { numTensors } = tf.memory();
    const saving = state.snapshot();
    expect(tf.memory().numTensors).toBe(numTensors + 2 * 3);
    expect((await saving).tensors.map(({ name }) => name)).toEqual(['a/m', 'a/v', 'b/m', 'b/v']);
    expect(tf.memory().numTensors).toBe(numTensors);
    vi.spyOn(tf.backend(), 'read').mockRejectedValue(new Error('lost'));
    await expect(state.snapshot()).rejects.toThrow('lost');
    expect(tf.memory().numTensors).toBe(numTensors);
    state.dispose();
  });
});
