// A NaN or an infinity in the inner state, wherever it is kept: a sync finds it, with one number back from the device for each
// tensor that is there, and without moments from the host crossing the bus.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead } from 'slowlane';
import { expect, test, vi } from 'vitest';

import type { MomentPolicy } from '#src/optimizers/step-options.js';

import { noise, read } from '../../engines.js';
import { describeWebGPU, start } from './engine.js';

const SIZE = 72 * 72;
/** What a check of two weights reads: the weights, and what is on the device of two moments each. */
const PLACES: readonly [moments: MomentPolicy, tensors: number][] = [
  ['device:f32', 2 + 4],
  ['device:q8', 2 + 2], // the scales of both moments are one tensor
  ['host:f32', 2],
  ['host:q8', 2],
];

describeWebGPU(() => {
  test.each(PLACES)('%s: %d dispatches and 4 bytes back for each', async (moments, tensors) => {
    const { backend } = await start();
    const weights = ['a', 'b'].map((name) =>
      tf.tidy(() => tf.variable(noise([SIZE], 1), true, name)),
    );
    const inner = adam({ moments });
    const optimizer = lookahead(inner, { syncPeriod: 100 });
    const gradients = { a: tf.ones([SIZE]), b: tf.ones([SIZE]) };
    await optimizer.attach(weights);
    optimizer.applyGradients(gradients);
    await optimizer.sync();
    expect(weights.map((weight) => inner.momentsOf(weight))).toEqual([moments, moments]);
    const before = await Promise.all(weights.map(read));

    for (const [name, value] of [
      ['a/v', Infinity],
      ['b/m', NaN],
    ] as const) {
      const live = await inner.getWeights();
      const saved = live.map((entry) => ({ ...entry, tensor: tf.clone(entry.tensor) }));
      const spoilt = saved.map((entry) => {
        if (entry.name !== name) return entry;
        const values = new Float32Array(SIZE);
        values[SIZE - 1] = value;
        return { name, tensor: tf.tensor(values) };
      });
      await inner.setWeights(spoilt);
      const readings = vi.spyOn(backend, 'getBufferData');
      const dispatches = vi.spyOn(backend.device, 'createBindGroup');
      const [weight, slot] = name.split('/');
      await expect(optimizer.sync({ early: true })).rejects.toMatchObject({
        code: 'NON_FINITE',
        details: { weight, slot, step: 1 },
      });
      expect(dispatches).toHaveBeenCalledTimes(tensors);
      const [largest, ...scales] = readings.mock.calls.map(([{ size }]) => size);
      expect(largest).toBe(4 * tensors);
      // To name the moment, the scales themselves: 2 rows of 21 blocks.
      expect(scales).toEqual(moments === 'device:q8' ? [4 * 2 * 21] : []);
      vi.restoreAllMocks();
      vi.spyOn(console, 'warn').mockImplementation(() => undefined);
      await inner.setWeights(saved);
    }

    await inner.setWeights(await spoiltBy(inner, 'a/v'));
    await expect(optimizer.sync({ early: true })).rejects.toMatchObject({ code: 'NON_FINITE' });
    await optimizer.discard(); // the state begins anew
    optimizer.applyGradients(gradients);
    await optimizer.sync({ early: true });
    expect(optimizer.stats().syncs).toBe(1);
    const after = await Promise.all(weights.map(read));
    expect(after.flat().every(Number.isFinite)).toBe(true);
    expect(after).not.toEqual(before);
    optimizer.dispose();
  });
});

async function spoiltBy(inner: ReturnType<typeof adam>, name: string) {
  const saved = await inner.getWeights();
  return saved.map((entry) =>
    entry.name === name ? { name, tensor: tf.fill([SIZE], Infinity) } : entry,
  );
}
