// A weight that holds a NaN when a step captures it: WebGPU cannot look before the step, so the next call that is awaited finds
// it, and the slow values from before are kept.

import * as tf from '@tensorflow/tfjs-core';
import { lookahead, type LookaheadOptions, sgd } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { read, slowOf } from '../../../engines.js';
import { describeWebGPU, start } from '../engine.js';

describeWebGPU(() => {
  const variable = (value: number, name: string) =>
    tf.tidy(() => tf.variable(tf.tensor1d([value]), true, name));
  const assign = (weight: tf.Variable, value: number) =>
    tf.tidy(() => weight.assign(tf.tensor1d([value])));

  describe.each(['host:f32', 'device:f32'] as const)('%s', (slow) => {
    const train = async (options: LookaheadOptions) => {
      await start();
      const [a, b] = [variable(4, 'a'), variable(2, 'b')];
      const optimizer = lookahead(sgd({ learningRate: 1 }), { slow, syncPeriod: 3, ...options });
      const weights = [a, b];
      const loss = () => tf.addN(weights.map((weight) => tf.sum(weight))) as tf.Scalar;
      const minimize = (...of: tf.Variable[]) =>
        optimizer.minimize(() => tf.addN(of.map((w) => tf.sum(w))) as tf.Scalar, false, of);
      return { a, b, weights, optimizer, loss, minimize };
    };
    const values = (weights: readonly tf.Variable[]) => Promise.all(weights.map(read));

    test.each(["replaced: 'resync'", 'unfrozen'])(
      '%s: found by each awaited call, discard() goes back to the slow value 2',
      async (kind) => {
        const { a, b, weights, optimizer, loss, minimize } = await train(
          kind === 'unfrozen' ? {} : { replaced: 'resync' },
        );
        await optimizer.step(loss, false, weights);
        if (kind === 'unfrozen') {
          b.trainable = false;
          await optimizer.sync();
        }
        assign(b, NaN);
        b.trainable = true;
        minimize(a, b); // cannot look
        const refused = { code: 'NON_FINITE', details: { weight: 'b', step: 2 } };
        for (const call of [
          () => optimizer.sync(),
          () => optimizer.step(loss, false, weights),
          async () => minimize(a, b), // now it is known
          () => optimizer.finish(),
          () => optimizer.withSlowWeights(() => undefined),
          () => optimizer.getWeights(),
          () => optimizer.slowWeights(),
        ]) {
          await expect(call()).rejects.toMatchObject(refused);
        }
        expect(await values([a])).toEqual([[2]]); // two steps
        await optimizer.discard();
        expect(await values(weights)).toEqual([[4], [2]]);
        for (let i = 0; i < 3; i++) await optimizer.step(loss, false, weights);
        expect(await values(weights)).toEqual([[2.5], [0.5]]); // 4 → 1 and 2 → −1, halfway
      },
    );

    test('finite values and resync() help as well', async () => {
      const { a, b, weights, optimizer, loss, minimize } = await train({ replaced: 'resync' });
      await optimizer.step(loss, false, weights);
      assign(b, Infinity);
      minimize(a, b);
      await expect(optimizer.sync()).rejects.toMatchObject({ code: 'NON_FINITE' });
      await expect(optimizer.resync()).rejects.toMatchObject({ code: 'NON_FINITE' });
      assign(b, 10);
      await optimizer.resync();
      expect((await slowOf(optimizer)).flat()).toEqual([2, 10]);
    });

    test('before its first step: nothing to go back to, until it gets finite values and resync()', async () => {
      const { a, b, optimizer, minimize } = await train({});
      assign(b, NaN);
      minimize(a, b);
      for (const call of [
        () => optimizer.sync(),
        () => optimizer.discard(),
        () => optimizer.slowWeights(),
      ]) {
        await expect(call()).rejects.toMatchObject({
          code: 'NON_FINITE',
          details: { weight: 'b', step: 1 },
        });
      }
      expect(await values([a])).toEqual([[3]]); // not zero, which the store begins with
      assign(b, 7);
      await optimizer.resync();
      await optimizer.discard();
      expect(await values([a, b])).toEqual([[3], [7]]);
      expect((await slowOf(optimizer)).flat()).toEqual([3, 7]);
      optimizer.dispose();
    });
  });
});
