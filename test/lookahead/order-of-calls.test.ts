// Calls that are not awaited, in every order: what succeeds has happened in the order of the calls.

import * as tf from '@tensorflow/tfjs-core';
import { type Lookahead, lookahead, sgd } from 'slowlane';
import { describe, expect, test, vi } from 'vitest';

import type { Device } from '#src/engine/device.js';

import { onEveryEngine, valuesOf } from '../engines.js';

/** Copies from the device take one turn of the event loop each, as they do on a GPU. */
const device = vi.hoisted(() => ({ isSlow: false }));
vi.mock('#src/engines/current-device.js', async (original) => {
  const { currentDevice } = await original<typeof import('#src/engines/current-device.js')>();
  const slowly = (device: Device): Device => ({
    write: () => device.write(),
    async pull(tensor, start, into) {
      await new Promise((resolve) => setImmediate(resolve));
      return device.pull(tensor, start, into);
    },
  });
  return { currentDevice: () => (device.isSlow ? slowly(currentDevice()) : currentDevice()) };
});

interface Model {
  fast: number;
  slow: number;
  shown: number[];
}

/** What each call does to one weight with a gradient of 1, learning rate 1 and α = ½. */
const calls: Record<
  string,
  { call(o: Lookahead, x: tf.Variable, shown: number[]): Promise<unknown>; does(m: Model): void }
> = {
  step: {
    call: (o, x) => o.step(() => tf.sum(x), false, [x]),
    does: (m) => void m.fast--,
  },
  sync: { call: (o) => o.sync(), does: () => {} },
  'early sync': {
    call: (o) => o.sync({ early: true }),
    does: (m) => void (m.fast = m.slow += (m.fast - m.slow) / 2),
  },
  withSlowWeights: {
    call: (o, x, shown) => o.withSlowWeights(() => shown.push(...valuesOf(x))),
    does: (m) => void m.shown.push(m.slow),
  },
  slowWeights: {
    call: async (o, _, shown) => {
      const [slow] = await o.slowWeights();
      shown.push(slow?.values[0] ?? NaN);
    },
    does: (m) => void m.shown.push(m.slow),
  },
  discard: { call: (o) => o.discard(), does: (m) => void (m.fast = m.slow) },
  finish: {
    call: (o) => o.finish(), // an early sync
    does: (m) => void (m.fast = m.slow += (m.fast - m.slow) / 2),
  },
  resync: { call: (o) => o.resync(), does: (m) => void (m.slow = m.fast) },
};
const names = Object.keys(calls);

async function stepped(): Promise<{ x: tf.Variable; o: Lookahead; model: Model }> {
  const x = tf.tidy(() => tf.variable(tf.zeros([1])));
  const o = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 100, workers: 0 });
  await o.step(() => tf.sum(x), false, [x]);
  return { x, o, model: { fast: -1, slow: 0, shown: [] } };
}

async function look(x: tf.Variable, o: Lookahead): Promise<{ fast: number; slow: number }> {
  const slow = await o.withSlowWeights(() => valuesOf(x)[0] as number);
  return { fast: valuesOf(x)[0] as number, slow };
}

describe.each([false, true])('a device that takes its time: %s', (isSlow) => {
  test('every three calls at once', { timeout: 120_000 }, async () => {
    await tf.setBackend('cpu');
    device.isSlow = isSlow;
    for (const first of names) {
      for (const second of names) {
        for (const third of names) {
          const { x, o, model } = await stepped();
          const sequence = [first, second, third];
          const shown: number[] = [];
          const results = await Promise.allSettled(
            sequence.map((name) => calls[name]!.call(o, x, shown)),
          );
          results.forEach(({ status }, i) => {
            if (status === 'fulfilled') calls[sequence[i] as string]!.does(model);
          });
          expect({ ...(await look(x, o)), shown, sequence }).toEqual({ ...model, sequence });
          o.dispose();
          x.dispose();
        }
      }
    }
  });

  test('a synchronous step beside any call, at any moment, is refused or done; never lost', async () => {
    await tf.setBackend('cpu');
    device.isSlow = isSlow;
    for (const name of names) {
      for (let delay = 0; delay < 14; delay++) {
        const { x, o, model } = await stepped();
        const shown: number[] = [];
        const running = calls[name]!.call(o, x, shown);
        for (let i = 0; i < delay; i++) await Promise.resolve();
        let took = true;
        try {
          o.minimize(() => tf.sum(x), false, [x]);
        } catch (error) {
          expect(error).toHaveProperty('code');
          took = false;
        }
        await running;
        calls[name]!.does(model);
        if (took) model.fast--;
        expect({ ...(await look(x, o)), shown, name, delay }).toEqual({ ...model, name, delay });
        expect(took || delay < 14).toBe(true);
        o.dispose();
        x.dispose();
      }
    }
  });

  test('dispose() at any moment leaves the fast weights in the model', async () => {
    await tf.setBackend('cpu');
    device.isSlow = isSlow;
    const { numTensors } = tf.memory();
    for (let delay = 0; delay < 30; delay++) {
      const { x, o } = await stepped();
      const swap = o.withSlowWeights(async () => {
        for (let i = 0; i < 5; i++) await Promise.resolve();
      });
      for (let i = 0; i < delay; i++) await Promise.resolve();
      o.dispose();
      o.dispose();
      await swap.catch(() => {});
      expect({ values: valuesOf(x), delay }).toEqual({ values: [-1], delay });
      await expect(o.sync()).rejects.toMatchObject({ code: 'DISPOSED' });
      x.dispose();
      expect(tf.memory().numTensors).toBe(numTensors);
    }
  });
});

onEveryEngine(() => {
  test('dispose() inside withSlowWeights waits for its end', async () => {
    device.isSlow = false;
    const { x, o } = await stepped();
    await o.withSlowWeights(() => {
      o.dispose();
      expect(valuesOf(x)).toEqual([0]);
    });
    expect(valuesOf(x)).toEqual([-1]);
    expect(() => o.minimize(() => tf.sum(x))).toThrow(/disposed/);
  });

  test('an error inside withSlowWeights and one while putting back are both told', async () => {
    const { x, o } = await stepped();
    const look = o.withSlowWeights(() => {
      x.dispose(); // nothing to put back to: not an error
      throw new Error('inside');
    });
    await expect(look).rejects.toThrow('inside');
  });
});

onEveryEngine(() => {
  test('a loss that takes steps itself is refused, and nothing has changed', async () => {
    device.isSlow = false;
    const x = tf.variable(tf.tensor1d([0]));
    const o = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 1, workers: 0 });
    const nested = () => {
      o.minimize(() => tf.sum(x), false, [x]);
      return tf.sum(x) as tf.Scalar;
    };
    expect(() => o.minimize(nested, false, [x])).toThrow(/loss function of another step/);
    await expect(o.step(nested, false, [x])).rejects.toMatchObject({ code: 'SYNC_RUNNING' });
    expect([valuesOf(x), o.iterations]).toEqual([[0], 0]);
    await o.step(() => tf.sum(x), false, [x]);
    expect(valuesOf(x)).toEqual([-0.5]);
  });

  test('what cannot be trained, or cannot be meant, is refused before anything changes', async () => {
    const [x, q] = [tf.variable(tf.tensor1d([1])), tf.variable(tf.tensor1d([1], 'int32'))];
    const o = lookahead(sgd({ learningRate: 1 }), { workers: 0 });
    const loss = () => tf.sum(tf.mul(x, tf.cast(q, 'float32'))) as tf.Scalar;
    await expect(o.step(loss, false, [x, q])).rejects.toThrow(/is int32; only float32/);
    expect([valuesOf(x), o.iterations]).toEqual([[1], 0]);
    for (const wrong of [NaN, 5, [1], '', null]) {
      expect(() => o.applyGradients(wrong as never)).toThrow(/applyGradients\(\) takes/);
    }
    await expect(o.withSlowWeights(5 as never)).rejects.toThrow(/takes a function, got 5/);
    await expect(o.setWeights(5 as never)).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
  });

  test('an inner optimizer has one Lookahead', () => {
    const inner = sgd();
    lookahead(inner);
    expect(() => lookahead(inner)).toThrow(/inside another Lookahead already/);
  });
});
