// forget(weights): what a removed layer left behind is gone, and its memory with it.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, momentum, type MomentPolicy, sgd } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { onEveryEngine, slowOf, valuesOf } from '../../engines.js';

onEveryEngine(() => {
  const make = (size = 1) => tf.tidy(() => tf.variable(tf.fill([size], 1)));
  /** Its gradient is 1. */
  const slopes = (weights: readonly tf.Variable[]) => () =>
    tf.addN(weights.map((w) => tf.sum(w))) as tf.Scalar;

  describe('an inner optimizer', () => {
    test.each<MomentPolicy>(['device:f32', 'device:q8', 'host:f32'])(
      'moments %s: freed, not saved, and fresh when the weight is trained again',
      async (moments) => {
        const [a, b] = [make(1000), make(1000)];
        const optimizer = adam({ moments });
        const { numTensors, numBytes } = tf.memory();
        optimizer.minimize(slopes([a]), false, [a]);
        const one = tf.memory();
        optimizer.minimize(slopes([a, b]), false, [a, b]);
        optimizer.forget([b]);
        expect(tf.memory().numBytes).toBe(one.numBytes);
        expect(tf.memory().numTensors).toBe(one.numTensors);
        const names = (await optimizer.getWeights()).map(({ name }) => name);
        expect(names).toEqual(['adam/counters', `${a.name}/m`, `${a.name}/v`]);
        const before = valuesOf(b)[0] ?? NaN;
        optimizer.minimize(slopes([b]), false, [b]);
        // A first step of Adam moves by the rate.
        expect(valuesOf(b)[0]).toBeCloseTo(before - 0.001, 6);
        optimizer.forget([a, b, make()]);
        expect(tf.memory().numBytes).toBe(numBytes + 4);
        expect(tf.memory().numTensors).toBe(numTensors + 1);
      },
    );

    test('between micro-batches its share of the step goes too', () => {
      const [a, b] = [make(), make()];
      const optimizer = momentum({ learningRate: 1, accumulate: 2 });
      optimizer.minimize(slopes([a, b]), false, [a, b]);
      optimizer.forget([b]);
      optimizer.completeStep();
      expect([a, b].flatMap(valuesOf)).toEqual([0.5, 1]); // a by the mean of 1 and 0
    });

    test('state that waits for the weight goes too', async () => {
      const [a, b] = ['a', 'b'].map((name) =>
        tf.variable(tf.tensor1d([1]), true, `${tf.getBackend()}/forget/${name}`),
      ) as [tf.Variable, tf.Variable];
      const first = momentum();
      first.minimize(slopes([a, b]), false, [a, b]);
      const second = momentum();
      await second.setWeights(await first.getWeights());
      second.forget([b]);
      const names = (await second.getWeights()).map(({ name }) => name);
      expect(names).toEqual(['momentum/counters', `${a.name}/m`]);
      tf.dispose([a, b]);
    });

    test('no list of variables is a TypeError', () => {
      expect(() => sgd().forget(make() as never)).toThrow(TypeError);
      expect(() => sgd().forget([1] as never)).toThrow(TypeError);
    });
  });

  describe('a Lookahead', () => {
    const options = { syncPeriod: 2, slowStepSize: 0.5, workers: 0 } as const;

    test('slow values are freed, the others stay to the bit, the cycle goes on', async () => {
      const train = async (forgets: boolean) => {
        const [a, b] = [make(100_000), make(100_000)];
        const optimizer = lookahead(momentum({ learningRate: 0.25 }), {
          ...options,
          innerState: 'interpolate',
        });
        for (let i = 0; i < 3; i++) await optimizer.step(slopes([a, b]), false, [a, b]);
        const both = optimizer.stats().host.slowBytes;
        if (forgets) {
          const slow = await slowOf(optimizer);
          await optimizer.forget([b]);
          expect(optimizer.stats().host.slowBytes).toBeLessThan(0.6 * both);
          expect(await slowOf(optimizer)).toEqual(slow.slice(0, 1));
        }
        const fast = valuesOf(b)[0];
        for (let i = 0; i < 4; i++) await optimizer.step(slopes([a]), false, [a]);
        if (forgets) expect(valuesOf(b)[0]).toBe(fast); // no sync moves it
        await optimizer.finish();
        const result = valuesOf(a);
        optimizer.dispose();
        return result;
      };
      expect(await train(true)).toEqual(await train(false));
    });

    test('a forgotten weight that is trained again begins as a new one', async () => {
      const [a, b] = [make(), make()];
      const optimizer = lookahead(sgd({ learningRate: 1 }), { ...options, syncPeriod: 10 });
      await optimizer.step(slopes([a, b]), false, [a, b]); // 0, slow 1
      await optimizer.forget([b]);
      await optimizer.step(slopes([a, b]), false, [a, b]); // −1; the slow value of b is 0
      await optimizer.discard();
      expect([a, b].flatMap(valuesOf)).toEqual([1, 0]);
      optimizer.dispose();
    });

    test('tf.train.adam inside cannot forget: refused, and nothing has changed', async () => {
      const [a, b] = [make(), make()];
      const optimizer = lookahead(tf.train.adam(0.1), { ...options, syncPeriod: 10 });
      await optimizer.step(slopes([a, b]), false, [a, b]);
      const slow = await slowOf(optimizer);
      await expect(optimizer.forget([b])).rejects.toMatchObject({ code: 'UNSUPPORTED_INNER' });
      await expect(optimizer.forget(b as never)).rejects.toThrow(TypeError);
      expect(await slowOf(optimizer)).toEqual(slow);
      optimizer.dispose();
    });
  });
});
