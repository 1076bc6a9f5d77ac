// Restored state waits for its weights, and replaces the state of those that are known.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test, vi } from 'vitest';

import { type OptimizerState, type PendingState } from '#src/optimizers/state/optimizer-state.js';
import type { NamedTensor } from '#src/tfjs/named-tensor.js';
import { make, weight, pending, arrived, load, listed, snapshot, mismatch } from './small-state.js';
import { onCleanSlate } from './clean-slate.js';

const before = onCleanSlate();

describe('restored state', () => {
  test('waits for its weight, which takes values and steps; a new one is fresh', async () => {
    const state = make();
    await load(state, [pending('a', 1), pending('b', 2), pending('c', 3)]);
    expect(state.isEmpty).toBe(true);
    const [b, d] = [weight('b'), weight('d')];
    state.adopt([b, d]);
    expect(listed(state)).toEqual([
      ['b', 2, 102, 2],
      ['d', 0, 0.5, 0],
    ]);
    expect(tf.memory().numTensors).toBe(before() + 2 * 3 + 2 * 2); // two weights, and two that wait
    expect(await snapshot(state)).toMatchObject({
      steps: [2, 0, 1, 3],
      tensors: [
        ['b/m', 2],
        ['b/v', 102],
        ['d/m', 0],
        ['d/v', 0.5],
        ['a/m', 1],
        ['a/v', 101],
        ['c/m', 3],
        ['c/v', 103],
      ],
    });
    state.dispose();
  });

  test('counts as soon as its weight is known, before any step, and only that', async () => {
    for (const look of [
      (state: OptimizerState) => state.list(),
      (state: OptimizerState, a: tf.Variable) => state.of(a),
      (state: OptimizerState) => state.firstBadOnHost(() => true),
      (state: OptimizerState) => state.reset([]),
    ]) {
      const state = make();
      await load(state, [pending('a', 1), pending('b', 2)]);
      const [a, c] = [weight('a'), weight('c')];
      look(state, a);
      expect(state.weights).toEqual([]);
      state.meet([a, c], { isWhole: false });
      expect(state.weights).toEqual([]);
      look(state, a);
      expect(state.weights).toEqual([a]);
      expect(listed(state)).toEqual([['a', 1, 101, 1]]);
      state.dispose();
      tf.dispose([a, c]);
    }
  });

  test('of a weight that is gone is gone, before it was claimed and after', async () => {
    const state = make();
    await load(state, [pending('a', 1), pending('b', 2), pending('c', 3)]);
    const [a, b] = [weight('a'), weight('b')];
    state.adopt([a]);
    state.meet([b], { isWhole: false });
    tf.dispose([a, b]);
    expect((await snapshot(state)).tensors).toEqual([
      ['c/m', 3],
      ['c/v', 103],
    ]);
    expect(tf.memory().numTensors).toBe(before() + 2);
    state.dispose();
  });

  test('is not made for a weight that is gone', async () => {
    const state = make();
    await load(state, [pending('a', 1)]);
    const a = weight('a');
    state.meet([a], { isWhole: false });
    a.dispose();
    expect(state.of(a)).toBeUndefined();
    expect(state.isEmpty).toBe(true);
    state.dispose();
  });

  test('with none, no weight is a wrong one; with some, the first ones have to be theirs', async () => {
    const state = make();
    const d = weight('d');
    state.meet([d], { isWhole: false });
    await load(state, [pending('a', 1)]);
    expect(() => state.meet([d], { isWhole: false })).toThrow(mismatch);
    expect(() => state.adopt([d])).toThrow(mismatch);
    expect(state.isEmpty).toBe(true);
    state.dispose();
  });

  test('all weights of a model: other variables do not count', async () => {
    const state = make();
    await load(state, [pending('d_D1/k', 1), pending('d_D2/k', 2)], ['d_D3/k']);
    const [one, two] = [weight('d_D1/k'), weight('d_D2/k')];
    weight('d_D4/k');
    expect(() => state.meet([one, two], { isWhole: false })).not.toThrow(); // the very names
    const other = make();
    await load(other, [pending('d_D2/k', 2)], ['d_D1/k', 'd_D3/k']);
    expect(() => other.meet([one, two], { isWhole: false })).toThrow(mismatch);
    other.meet([one, two], { isWhole: true });
    expect(other.weights).toEqual([]);
    expect(listed(other)).toEqual([['d_D2/k', 2, 102, 2]]);
    state.dispose();
    other.dispose();
  });

  test('is saved under the name that its weight has now', async () => {
    const state = make();
    await load(state, [pending('d_D1/k', 1), pending('d_D2/k', 2)]);
    const all = [weight('d_D7/k'), weight('d_D8/k')];
    state.meet(all, { isWhole: false });
    expect((await snapshot(state)).tensors.map(([name]) => name)).toEqual([
      'd_D7/k/m',
      'd_D7/k/v',
      'd_D8/k/m',
      'd_D8/k/v',
    ]);
    state.dispose();
  });

  test('of a rule without state is no state: any weights go on', async () => {
    const state = make('device:f32', []);
    await load(state, [{ name: '', shape: [], steps: 3, tensors: [] }]);
    const w = weight('d_D1/k', 5000);
    weight('d_D2/k');
    state.adopt([w]);
    state.assertWithin([]);
    expect(await snapshot(state)).toEqual({ steps: [0], tensors: [], others: [] });
    expect(state.of(w)?.storage).toEqual({ isOnHost: false, isQuantized: false });
    state.dispose();
  });
});

describe('replacing all state', () => {
  test('known weights get values and steps, or are fresh; the others wait; what waited is freed', async () => {
    const state = make();
    await load(state, [pending('old', 9), pending('a', 8)]);
    const [a, b] = [weight('a'), weight('b')];
    state.adopt([a, b]);
    const variables = state.list().map(({ variable }) => variable);
    await load(state, [pending('c', 3), pending('a', 1)]);
    expect(state.list().map(({ variable }) => variable)).toEqual(variables);
    expect(listed(state)).toEqual([
      ['a', 1, 101, 1],
      ['b', 0, 0.5, 0],
    ]);
    expect(tf.memory().numTensors).toBe(before() + 2 * 3 + 2);
    const c = weight('c');
    state.adopt([c]);
    expect(listed(state).at(-1)).toEqual(['c', 3, 103, 3]);
    state.dispose();
  });

  test('disposed instead, it changes nothing and keeps nothing', async () => {
    const state = make();
    const a = weight('a');
    state.adopt([a]);
    const { numTensors } = tf.memory();
    const saved = { weights: [pending('a', 1), pending('b', 2)], others: [] };
    (await state.replace(saved, undefined, arrived)).dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(listed(state)).toEqual([['a', 0, 0.5, 0]]);
    state.dispose();
  });

  test('refused, or not arrived: nothing has changed, and nothing is kept', async () => {
    const state = make();
    const [a, b] = [weight('a'), weight('b')];
    state.adopt([a, b]);
    const { numTensors } = tf.memory();
    const wrong = () => ({ weights: [pending('a', 1, 2), pending('b', 2)], others: [] });
    await expect(state.replace(wrong(), undefined, arrived)).rejects.toThrow(/shape/);
    const late = () => Promise.reject(new Error('the device'));
    const good = () => ({ weights: [pending('a', 1)], others: [] });
    await expect(state.replace(good(), undefined, late)).rejects.toThrow('the device');
    // The values of a are made; then there is no memory for those of b.
    const fill = vi.spyOn(tf.engine(), 'runKernel').mockImplementation(() => {
      throw new Error('no memory');
    });
    const free = { weights: [pendingNoKernel('a')], others: [] };
    await expect(state.replace(free, undefined, arrived)).rejects.toThrow('no memory');
    fill.mockRestore();
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(listed(state)).toEqual([
      ['a', 0, 0.5, 0],
      ['b', 0, 0.5, 0],
    ]);
    state.dispose();
  });

  /** Its tensors are made without a kernel. */
  function pendingNoKernel(name: string): PendingState {
    const tensors = ['m', 'v'].map((slot): NamedTensor => {
      return { name: `${name}/${slot}`, tensor: tf.keep(tf.tensor1d([7])) };
    });
    return { name, shape: [1], steps: 7, tensors };
  }

  test('waits until moments that are away have arrived', async () => {
    const state = make();
    const order: string[] = [];
    const saved = { weights: [], others: [] };
    const replacing = state.replace(saved, undefined, async () => {
      await Promise.resolve();
      order.push('arrived');
    });
    await replacing.then(() => order.push('ready'));
    expect(order).toEqual(['arrived', 'ready']);
  });

  test('with all owners known, they decide, whatever the names', async () => {
    const state = make();
    const [x, y] = [weight('x'), weight('y')];
    const known = new Map([
      ['a', y],
      ['b', x],
    ]);
    const saved = { weights: [pending('a', 1), pending('b', 2)], others: [] };
    (await state.replace(saved, known, arrived)).commit();
    state.adopt([x, y]);
    expect(listed(state)).toEqual([
      ['x', 2, 102, 2],
      ['y', 1, 101, 1],
    ]);
    state.dispose();
  });
});
