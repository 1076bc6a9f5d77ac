// A NaN or an infinity in the inner state is found by the next sync, also where the weights are finite.

import * as tf from '@tensorflow/tfjs-core';
import {
  adagrad,
  adam,
  adamw,
  lion,
  lookahead,
  type LookaheadOptions,
  momentum,
  rmsprop,
  type SlowlaneError,
} from 'slowlane';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { onEveryEngine, valuesOf } from '../engines.js';

const SYNCS = ['awaited', 'inline'] as const;

onEveryEngine(() => {
  afterEach(() => {
    tf.disposeVariables();
    vi.restoreAllMocks();
  });

  const variable = (name: string, size = 2) =>
    tf.tidy(() => tf.variable(tf.ones([size]), true, name));

  /** Weights 'a' and 'b' of ones, whose gradients are given. */
  const make = (inner: tf.Optimizer, options: LookaheadOptions, size?: number) => {
    const [a, b] = [variable('a', size), variable('b', size)];
    const optimizer = lookahead(inner, { syncPeriod: 2, workers: 0, ...options });
    const step = async (ofA: number, ofB: number) => {
      const gradients = { a: tf.fill(a.shape, ofA), b: tf.fill(b.shape, ofB) };
      try {
        optimizer.applyGradients(gradients);
        await optimizer.sync();
      } finally {
        tf.dispose(gradients);
      }
    };
    return { a, b, optimizer, step };
  };

  describe.each(SYNCS)('%s', (sync) => {
    test("adam, |g| = 1e20: v is infinite beside finite weights, and 'throw' names it", async () => {
      const { a, b, optimizer, step } = make(adam({ learningRate: 0.5 }), { sync });
      await step(1, 1);
      const found = {
        code: 'NON_FINITE',
        message: expect.stringMatching(
          /^The state 'v' of 'b' holds a NaN or an infinity after step 2\..*discard\(\)/,
        ) as unknown,
        details: { weight: 'b', slot: 'v', step: 2 },
      };
      await expect(step(1, 1e20)).rejects.toMatchObject(found);
      expect([...valuesOf(a), ...valuesOf(b)].every(Number.isFinite)).toBe(true);
      await expect(optimizer.sync()).rejects.toMatchObject(found);
      await optimizer.discard();
      expect([...valuesOf(a), ...valuesOf(b)]).toEqual([1, 1, 1, 1]);
      await step(1, 1); // a fresh Adam steps by its learning rate
      expect(valuesOf(b)[0]).toBeCloseTo(0.5, 5);
      await step(1, 1); // and the sync takes half of the way back: 1 → 0 → ½
      expect(valuesOf(b)[0]).toBeCloseTo(0.5, 5);
      expect(optimizer.stats().syncs).toBe(1);
    });

    test("'restore' begins the state anew, 'skip' leaves the sync out", async () => {
      const restored = make(adam({ learningRate: 0.5 }), { sync, nonFinite: 'restore' });
      await restored.step(1, 1e20);
      await restored.step(1, 1);
      expect([valuesOf(restored.a), valuesOf(restored.b)]).toEqual([
        [1, 1],
        [1, 1],
      ]);
      await restored.step(1, 1);
      expect(valuesOf(restored.b)[0]).toBeCloseTo(0.5, 5);
      tf.dispose([restored.a, restored.b]);

      const skipped = make(adam({ learningRate: 0.5 }), { sync, nonFinite: 'skip' });
      await skipped.step(1, 1e20);
      await skipped.step(1, 1);
      expect(skipped.optimizer.stats()).toMatchObject({ syncs: 0, skippedSyncs: 1 });
      expect(valuesOf(skipped.a)[0]).toBeCloseTo(0, 5); // the fast weights go on
    });

    test.each<[string, () => tf.Optimizer, string]>([
      ['adagrad', () => adagrad({ learningRate: 0.5 }), 'accumulator'],
      ['adamw', () => adamw({ learningRate: 0.5 }), 'v'],
      ['rmsprop', () => rmsprop({ learningRate: 0.5 }), 'rms'],
      ['tf.train.adagrad', () => tf.train.adagrad(0.5), 'accumulator'],
      ['tf.train.adam', () => tf.train.adam(0.5), 'v'],
      ['tf.train.rmsprop', () => tf.train.rmsprop(0.5), 'rms'],
    ])('%s: a gradient whose square overflows', async (_, inner, slot) => {
      const { optimizer, step } = make(inner(), { sync });
      await step(1, 1e25);
      await expect(step(1, 1)).rejects.toMatchObject({ details: { weight: 'b', slot, step: 2 } });
      await optimizer.discard();
      await step(1, 1);
      await step(1, 1);
      expect(optimizer.stats().syncs).toBe(1);
    });

    test('the state of frozen weights does not count, that of excluded weights, which take steps, does', async () => {
      const { b, optimizer, step } = make(adam({ learningRate: 0.5 }), {
        sync,
        overrides: [{ weights: 'a', exclude: true }],
      });
      await step(1, 1e20);
      b.trainable = false;
      optimizer.applyGradients({ a: tf.ones([2]) });
      await optimizer.sync();
      expect(optimizer.stats().syncs).toBe(1);
      optimizer.applyGradients({ a: tf.fill([2], 1e20) });
      const last = Promise.resolve().then(() => {
        optimizer.applyGradients({ a: tf.ones([2]) });
        return optimizer.sync();
      });
      await expect(last).rejects.toMatchObject({ details: { weight: 'a', slot: 'v', step: 4 } });
      await optimizer.discard();
      b.trainable = true;
      await step(1, 1);
      await step(1, 1);
      expect(optimizer.stats().syncs).toBe(2);
    });

    test('interpolated slots are named in the same way', async () => {
      const { step } = make(adam({ learningRate: 0.5 }), { sync, innerState: 'interpolate' });
      await step(1, 1e20);
      await expect(step(1, 1)).rejects.toMatchObject({ details: { weight: 'b', slot: 'v' } });
    });

    test('tf.train.adamax goes on: nobody can reset its state, which squares nothing', async () => {
      const { optimizer, step } = make(tf.train.adamax(0.5), { sync });
      await step(1, 1e20);
      await step(1, 1);
      expect(optimizer.stats().syncs).toBe(1);
    });
  });

  describe.each(SYNCS)("'skip', %s", (sync) => {
    test('the same slot at three syncs in a row: one warning names it, at the third', async () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
      const options: LookaheadOptions = { sync, syncPeriod: 1, nonFinite: 'skip' };
      const { optimizer, step } = make(adam({ learningRate: 0.5 }), options);
      await step(1, 1e20);
      await step(1, 1);
      expect(warn).not.toHaveBeenCalled();
      for (let i = 0; i < 3; i++) await step(1, 1);
      expect(warn.mock.calls).toEqual([
        [
          expect.stringMatching(
            /^slowlane: The state 'v' of 'b' .* at 3 syncs in a row.*discard\(\).*'restore'/,
          ),
        ],
      ]);
      expect(optimizer.stats()).toMatchObject({ skippedSyncs: 5, syncs: 0 });
      await optimizer.discard(); // and what is found later is new
      await step(1e20, 1);
      for (let i = 0; i < 2; i++) await step(1, 1);
      expect(warn).toHaveBeenLastCalledWith(expect.stringContaining("'v' of 'a'"));
      expect(warn).toHaveBeenCalledTimes(2);
    });

    test('no warning of values that recover, nor of others each time', async () => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
      const options: LookaheadOptions = { sync, syncPeriod: 1, nonFinite: 'skip' };
      const { a, b, optimizer, step } = make(adam({ learningRate: 0 }), {
        ...options,
        replaced: 'ignore',
      });
      await step(1, 1);
      for (let i = 0; i < 4; i++) {
        for (const weight of [a, b, null, b, a]) {
          for (const each of [a, b]) {
            tf.tidy(() => each.assign(tf.fill([2], each === weight ? Infinity : 1)));
          }
          await step(1, 1);
        }
      }
      expect(optimizer.stats()).toMatchObject({ skippedSyncs: 16, syncs: 5 });
      expect(warn).not.toHaveBeenCalled(); // the same twice in a row, at most
    });
  });

  const OWN: Record<string, (moments: 'device:f32' | 'device:q8') => tf.Optimizer> = {
    momentum: (moments) => momentum({ moments }),
    adagrad: (moments) => adagrad({ moments }),
    rmsprop: (moments) => rmsprop({ moments, momentum: 0.5, centered: true }),
    adam: (moments) => adam({ moments }),
    lion: (moments) => lion({ moments }),
  };
  const FOREIGN: Record<string, () => tf.Optimizer> = {
    momentum: () => tf.train.momentum(0.1, 0.9),
    adagrad: () => tf.train.adagrad(0.1),
    adadelta: () => tf.train.adadelta(),
    rmsprop: () => tf.train.rmsprop(0.1, 0.9, 0.5, 1e-7, true),
    adam: () => tf.train.adam(),
  };

  /** Puts `value` into each slot of 'a' and 'b' in turn; what a sync in mid-cycle finds. */
  async function find(
    inner: tf.Optimizer,
    value: number,
  ): Promise<{ put: string; found: string }[]> {
    const { optimizer, step } = make(inner, { syncPeriod: 100 }, 5000);
    await step(1, 1);
    const seen: { put: string; found: string }[] = [];
    const names = (await inner.getWeights()).flatMap(({ name }) =>
      /^[ab]\//.test(name) ? [name] : [],
    );
    for (const put of names) {
      const clean = (await inner.getWeights()).map(({ name, tensor }) => {
        return { name, tensor: tf.keep(tf.clone(tensor)) };
      });
      const spoilt = clean.map(({ name, tensor }) => {
        const values = tensor.dataSync<'float32'>().slice();
        if (name === put) values[4321] = value;
        return { name, tensor: tf.tensor(values, tensor.shape, tensor.dtype) };
      });
      await inner.setWeights(spoilt);
      const error: unknown = await optimizer.sync({ early: true }).catch((cause: unknown) => cause);
      const { weight, slot } = (error as SlowlaneError).details;
      seen.push({ put, found: `${String(weight)}/${String(slot)}` });
      await inner.setWeights(clean);
      tf.dispose([...clean, ...spoilt].map(({ tensor }) => tensor));
    }
    await optimizer.sync({ early: true });
    expect(optimizer.stats().syncs).toBe(1);
    return seen;
  }

  test.each(Object.keys(OWN))('%s: each slot of each weight is found and named', async (rule) => {
    for (const moments of ['device:f32', 'device:q8'] as const) {
      for (const value of [NaN, Infinity]) {
        const seen = await find((OWN[rule] as (typeof OWN)[string])(moments), value);
        expect(seen.length).toBeGreaterThanOrEqual(2);
        for (const { put, found } of seen) expect(found).toBe(put);
        tf.disposeVariables();
      }
    }
  });

  test.each(Object.keys(FOREIGN))('tf.train.%s: each slot too', async (name) => {
    const seen = await find((FOREIGN[name] as () => tf.Optimizer)(), -Infinity);
    expect(seen.length).toBeGreaterThanOrEqual(2);
    for (const { put, found } of seen) expect(found).toBe(put);
  });
});
