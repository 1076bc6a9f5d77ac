// Quantized slow weights on the host where something does not go as usual.

import * as tf from '@tensorflow/tfjs-core';
import { lookahead, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import { halfSquare, noise, onEveryEngine, valuesOf } from '../../engines.js';

onEveryEngine(() => {
  test.each([
    ['host:f16', 0],
    ['host:f16', 1],
    ['host:f16r8', 0],
    ['host:f16r8', 1],
  ] as const)(
    '%s: where weight %d of three outgrows it, its neighbours in the chunk sync on',
    async (slow, grown) => {
      const train = async (format: 'host:f32' | typeof slow) => {
        const weights = [1, 1, 1].map(() => tf.variable(tf.ones([64, 64])));
        const optimizer = lookahead(sgd({ learningRate: 0.5 }), {
          slow: format,
          syncPeriod: 1,
          workers: 0,
        });
        const factors = [1, 1, 1].map((_, i) => (i === grown ? -4e5 : 1));
        const loss = () =>
          tf.addN(
            weights.map((weight, i) => tf.mul(tf.sum(weight), factors[i] as number)),
          ) as tf.Scalar;
        for (let i = 0; i < 3; i++) await optimizer.step(loss, false, weights);
        await optimizer.finish();
        const values = weights.map((weight) => valuesOf(weight)[7] as number);
        optimizer.dispose();
        tf.dispose(weights);
        return values;
      };
      // 1 → ¾ → ½ → ¼: all of it exact in fp16.
      const values = await train(slow);
      expect(values).toEqual(await train('host:f32'));
      expect(values.filter((_, i) => i !== grown)).toEqual([0.25, 0.25]);
    },
  );

  test('a sync whose blend is done is not done twice: the fast weights keep what rounding takes', async () => {
    const run = async (isFailing: boolean) => {
      const weight = tf.variable(noise([64, 64], 3));
      const inner = sgd({ learningRate: 0.1 });
      const reset = inner.reset.bind(inner);
      let failures = isFailing ? 1 : 0;
      inner.reset = (...given) => {
        if (failures-- > 0) throw new Error('not now');
        reset(...given);
      };
      const optimizer = lookahead(inner, {
        slow: 'host:f16',
        syncPeriod: 1,
        innerState: 'reset',
        workers: 0,
      });
      await optimizer.attach([weight]);
      optimizer.minimize(() => halfSquare(weight), false, [weight]);
      if (isFailing) await expect(optimizer.sync()).rejects.toThrow('not now');
      await optimizer.sync();
      const values = valuesOf(weight);
      optimizer.dispose();
      weight.dispose();
      return values;
    };
    expect(await run(true)).toEqual(await run(false));
  });
});
