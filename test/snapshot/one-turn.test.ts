// loadTraining: all or nothing, in one turn. saveTraining: what belongs together, or an error.

import * as tf from '@tensorflow/tfjs-core';
import {
  adam,
  loadTraining,
  lookahead,
  type Lookahead,
  momentum,
  saveTraining,
  sgd,
  type WeightwiseOptimizer,
} from 'slowlane';
import { beforeAll, describe, expect, test } from 'vitest';

import { onEveryEngine, valuesOf } from '../engines.js';

const slope = (w: tf.Variable) => () => tf.sum(w) as tf.Scalar;
const weight = (value: number, name?: string) =>
  tf.tidy(() => tf.variable(tf.tensor1d([value]), true, name));

describe('one turn', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  /** One step from 10: fast 9, slow 10. Then two more. */
  const training = async () => {
    const w = weight(10);
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 5, workers: 0 });
    await optimizer.step(slope(w), false, [w]);
    const bytes = await saveTraining(optimizer, [w]);
    for (let i = 0; i < 2; i++) await optimizer.step(slope(w), false, [w]);
    return { w, optimizer, bytes };
  };

  test.each(Array.from({ length: 40 }, (_, ticks) => ticks))(
    'withSlowWeights() called %i ticks after loadTraining(): before it or after it, never between',
    async (ticks) => {
      const { w, optimizer, bytes } = await training();
      const loading = loadTraining(bytes, optimizer, [w]);
      for (let i = 0; i < ticks; i++) await Promise.resolve();
      const seen = optimizer.withSlowWeights(async () => {
        await new Promise(setImmediate);
        return valuesOf(w);
      });
      await Promise.all([loading, seen]);
      expect(await seen).toEqual([10]);
      expect([valuesOf(w), optimizer.iterations]).toEqual([[9], 1]);
    },
  );

  test('an early sync called during loadTraining() syncs what was loaded', async () => {
    const { w, optimizer, bytes } = await training();
    await Promise.all([loadTraining(bytes, optimizer, [w]), optimizer.sync({ early: true })]);
    expect(valuesOf(w)).toEqual([9.5]); // 10 + ½ (9 − 10)
  });

  test('a step called during loadTraining() is refused by minimize() and waits in step()', async () => {
    const { w, optimizer, bytes } = await training();
    const loading = loadTraining(bytes, optimizer, [w]);
    expect(() => optimizer.minimize(slope(w), false, [w])).toThrow(/under way/);
    await Promise.all([loading, optimizer.step(slope(w), false, [w])]);
    expect([valuesOf(w), optimizer.iterations]).toEqual([[8], 2]);
  });

  test('inside withSlowWeights() it is refused, and nothing has changed', async () => {
    const { w, optimizer, bytes } = await training();
    const load = () => loadTraining(bytes, optimizer, [w]);
    const inside = optimizer.withSlowWeights(() =>
      expect(load()).rejects.toMatchObject({ code: 'INSIDE_SLOW_WEIGHTS' }),
    );
    await inside;
    expect([valuesOf(w), optimizer.iterations]).toEqual([[7], 3]);
  });

  test('weights that are replaced after it are noticed, at once', async () => {
    const { w, optimizer, bytes } = await training();
    await loadTraining(bytes, optimizer, [w]);
    tf.tidy(() => w.assign(tf.tensor1d([100])));
    const step = optimizer.step(slope(w), false, [w]);
    await expect(step).rejects.toMatchObject({ code: 'WEIGHTS_REPLACED' });
  });
});

describe('all or nothing', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  const everything = async (
    optimizer: Lookahead | WeightwiseOptimizer,
    weights: tf.Variable[],
  ) => ({
    weights: weights.map(valuesOf),
    iterations: optimizer.iterations,
    state: (await optimizer.getWeights()).map(({ name, tensor }) => [name, valuesOf(tensor)]),
  });

  test('state that fits no weight is refused before the weights change', async () => {
    const make = () => lookahead(adam({ learningRate: 0.5 }), { syncPeriod: 5, workers: 0 });
    const [a, b] = [weight(1, 'one-turn/a'), weight(2, 'one-turn/b')];
    const first = make();
    await first.step(() => tf.add(slope(a)(), slope(b)()), false, [a, b]);
    const bytes = await saveTraining(first, [a, b]);
    const before = await everything(first, [a, b]);
    const wrong = tf.variable(tf.tensor1d([7, 7]), true, 'one-turn/a_1');
    for (const weights of [[a], [a, b, wrong], [wrong, b]]) {
      await expect(loadTraining(bytes, first, weights)).rejects.toMatchObject({
        code: 'STATE_MISMATCH',
      });
      expect(await everything(first, [a, b])).toEqual(before);
    }
    expect(valuesOf(wrong)).toEqual([7, 7]);
    tf.dispose([a, b, wrong]);
  });

  test('no memory for slow weights: refused, and nothing has changed', async () => {
    const { Memory } = WebAssembly;
    const [w, optimizer] = [weight(1), lookahead(momentum(), { syncPeriod: 5, workers: 0 })];
    await optimizer.step(slope(w), false, [w]);
    const bytes = await saveTraining(optimizer, [w]);
    await optimizer.step(slope(w), false, [w]);
    const before = await everything(optimizer, [w]);
    const { numTensors } = tf.memory();
    try {
      WebAssembly.Memory = function refuse() {
        throw new RangeError('no room');
      } as never;
      const load = loadTraining(bytes, optimizer, [w]);
      await expect(load).rejects.toThrow(/Could not allocate/);
    } finally {
      WebAssembly.Memory = Memory;
    }
    expect(await everything(optimizer, [w])).toEqual(before);
    expect(tf.memory().numTensors).toBe(numTensors);
    await loadTraining(bytes, optimizer, [w]);
    expect(optimizer.iterations).toBe(1);
  });

  test('inner steps that contradict the Lookahead are refused', { timeout: 20_000 }, async () => {
    const make = () => lookahead(tf.train.adam(0.01), { workers: 0 });
    const w = weight(1);
    const optimizer = make();
    await optimizer.step(slope(w), false, [w]);
    const state = await optimizer.getWeights();
    const count = async (inner: number, own: number) => {
      const entries = state.map(({ name, tensor }) => {
        if (name === 'inner/iter') return { name, tensor: tf.scalar(inner, 'int32') };
        if (name !== 'lookahead/counters') return { name, tensor };
        const [version = 0, , ...counters] = valuesOf(tensor);
        return { name, tensor: tf.tensor1d([version, own, ...counters], 'int32') };
      });
      const other = make();
      await other.setWeights(entries);
      return other;
    };
    await expect(count(2, 1)).rejects.toThrow(/counts 1 inner steps, its inner state 2/);
    await expect(count(2 ** 31 - 1, 1)).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
    await expect(count(-1, -1)).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
    const last = await count(2 ** 31 - 1, 2 ** 31 - 1); // a product for each step would take 44 s
    expect(last.inner.iterations).toBe(2 ** 31 - 1);
  });
});

onEveryEngine(() => {
  describe('saved together, or an error', () => {
    const make = () => momentum({ learningRate: 1, accumulate: 2 });
    const disturb: Record<string, (o: WeightwiseOptimizer, w: tf.Variable) => unknown> = {
      'a micro-batch': (o, w) => o.minimize(slope(w), false, [w]),
      'a step': (o, w) => [1, 2].map(() => o.minimize(slope(w), false, [w])),
      'a reset': (o) => o.reset(),
      'a forgotten weight': (o, w) => o.forget([w]),
      'an assignment': (_, w) => tf.tidy(() => w.assign(tf.tensor1d([5]))),
    };
    test.each(Object.keys(disturb))('%s while saveTraining() reads', async (what) => {
      const [w, optimizer] = [weight(0), make()];
      const isCounted = what !== 'a reset' && what !== 'a forgotten weight';
      for (let i = 0; i < 2; i++) optimizer.minimize(slope(w), false, [w]); // m = 1
      for (let ticks = 0; ticks < 8; ticks++) {
        const saving = saveTraining(optimizer, [w]).catch((error: unknown) => error);
        for (let i = 0; i < ticks; i++) await Promise.resolve();
        disturb[what]?.(optimizer, w);
        const saved = await saving;
        if (saved instanceof Uint8Array) {
          // It was over before, or had not begun to read: then it holds what is there now.
          const [v, other] = [weight(0), make()];
          await loadTraining(saved, other, [v]);
          const [, m] = await other.getWeights();
          const n = other.iterations;
          // The gradients are 1: m is the sum of 0.9ⁱ, i < n.
          if (isCounted) expect(m && valuesOf(m.tensor)[0]).toBeCloseTo((1 - 0.9 ** n) / 0.1, 4);
        } else expect(saved).toMatchObject({ code: 'SYNC_RUNNING' });
        if (optimizer.isAccumulating) optimizer.minimize(slope(w), false, [w]);
      }
    });

    test('a micro-batch: never in the momentum and not in the count', async () => {
      const [w, optimizer] = [weight(0), make()];
      for (let i = 0; i < 2; i++) optimizer.minimize(slope(w), false, [w]);
      const saving = saveTraining(optimizer, [w]);
      optimizer.minimize(slope(w), false, [w]);
      await expect(saving).rejects.toMatchObject({ code: 'SYNC_RUNNING' });
      const listing = optimizer.getWeights();
      await expect(listing).rejects.toMatchObject({ code: 'STEP_OPEN' });
    });

    test('state of a weight that is not given: refused when it is saved', async () => {
      const [v, w] = [weight(0), weight(0)];
      const inner = momentum();
      inner.minimize(() => tf.add(slope(v)(), slope(w)()), false, [v, w]);
      await expect(saveTraining(inner, [v])).rejects.toThrow(/forget\(\[weight\]\)/);
      const outer = lookahead(sgd(), { workers: 0 });
      await outer.attach([v, w]);
      await expect(saveTraining(outer, [v])).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
      inner.forget([w]);
      await outer.forget([w]);
      for (const optimizer of [inner, outer]) await saveTraining(optimizer, [v]);
    });
  });
});
