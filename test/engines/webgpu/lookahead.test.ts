// Lookahead on the WebGPU engine: slow weights in host memory, fast ones updated in place on the device.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import golden from '../../golden.json' with { type: 'json' };
import { halfSquare, noise, read, slowOf } from '../../engines.js';
import { describeWebGPU, start } from './engine.js';

describeWebGPU(() => {
  test('golden: a constant gradient, α = 0.25, with step() and with minimize() and sync()', async () => {
    await start();
    const { x0, syncPeriod, learningRate } = golden.constantGradient;
    for (const how of ['step', 'minimize'] as const) {
      const x = tf.tidy(() => tf.variable(tf.scalar(x0)));
      const optimizer = lookahead(sgd({ learningRate }), { syncPeriod, slowStepSize: 0.25 });
      const values: number[] = [];
      for (let i = 0; i < 9; i++) {
        const loss = () => tf.mul<tf.Scalar>(x, 1);
        if (how === 'step') await optimizer.step(loss, false, [x]);
        else optimizer.minimize(loss, false, [x]);
        await optimizer.sync();
        values.push(...(await read(x)));
      }
      expect(values).toEqual(golden.constantGradient['alpha0.25']);
      await optimizer.finish();
      optimizer.dispose();
    }
  });

  test('the trajectory is that of the cpu engine; swaps, saves and discards work; nothing leaks', async () => {
    const run = async () => {
      const weights = [noise([300, 3], 1), noise([7], 2)].map((values) => tf.variable(values));
      const optimizer = lookahead(adam({ learningRate: 0.1 }), { syncPeriod: 3, chunkBytes: 2000 });
      const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
      for (let i = 0; i < 4; i++) await optimizer.step(loss, false, weights);
      const { numTensors } = tf.memory();
      for (let i = 0; i < 4; i++) await optimizer.step(loss, false, weights);
      const fast = await Promise.all(weights.map(read));
      const slow = await optimizer.withSlowWeights(() => Promise.all(weights.map(read)));
      expect(await Promise.all(weights.map(read))).toEqual(fast);
      await optimizer.setWeights(await optimizer.getWeights());
      await optimizer.attach(weights);
      await optimizer.discard();
      expect(await Promise.all(weights.map(read))).toEqual(slow);
      expect(tf.memory().numTensors).toBe(numTensors);
      optimizer.dispose();
      tf.dispose(weights);
      return { fast, slow };
    };
    await tf.setBackend('cpu');
    const expected = await run();
    await start();
    const found = await run();
    for (const which of ['fast', 'slow'] as const) {
      found[which].flat().forEach((value, i) => {
        expect(value).toBeCloseTo(expected[which].flat()[i] as number, 5);
      });
    }
  });

  test.each(['host:f32', 'host:f16', 'device:f32'] as const)(
    '%s: a frozen weight stays to the bit, and a second optimizer that updates in place is noticed',
    async (slow) => {
      await start();
      const x = [1, 2].map((seed) => tf.tidy(() => tf.variable(noise([64, 65], seed))));
      const [frozen, other] = x as [tf.Variable, tf.Variable];
      const loss = () => tf.addN(x.map(halfSquare)) as tf.Scalar;
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { slow, syncPeriod: 2 });
      await optimizer.step(loss, false, x);
      frozen.trainable = false;
      const [before, slowBefore] = [await read(frozen), (await slowOf(optimizer))[0]];
      for (let i = 0; i < 3; i++) await optimizer.step(loss, false, x);
      await optimizer.withSlowWeights(async () => expect(await read(frozen)).toEqual(before));
      await optimizer.finish();
      expect(await read(frozen)).toEqual(before);
      expect((await slowOf(optimizer))[0]).toEqual(slowBefore);
      const second = sgd({ learningRate: 0.1 });
      const { dataId } = other;
      second.minimize(loss, false, [other]);
      if (slow !== 'device:f32') expect(other.dataId).toBe(dataId); // there the slow weight shares it
      await expect(optimizer.sync()).rejects.toMatchObject({
        code: 'WEIGHTS_REPLACED',
        details: { weights: [other.name] },
      });
      optimizer.dispose();
    },
  );

  test('tf.disposeVariables() between two runs with one optimizer, the second is like the first', async () => {
    await start();
    for (const [slow, moments] of [
      ['host:f32', 'host:f32'],
      ['host:f16', 'device:q8'],
      ['device:f32', 'device:f32'],
    ] as const) {
      const optimizer = lookahead(adam({ learningRate: 0.1, moments }), { slow, syncPeriod: 2 });
      const results: number[][] = [];
      for (let run = 0; run < 2; run++) {
        const w = tf.tidy(() => tf.variable(noise([64, 64], 1), true, 'of-each-run'));
        for (let i = 0; i < 2; i++) await optimizer.step(() => halfSquare(w), false, [w]);
        results.push(await read(w));
        tf.disposeVariables();
      }
      if (slow !== 'host:f16') expect(results[1]).toEqual(results[0]); // f16 rounds by the step
      optimizer.dispose();
    }
  });

  test('sync: inline says what this backend cannot do, and the weights stay as they are', async () => {
    await start();
    for (const slow of ['host:f32', 'device:f32'] as const) {
      const w = tf.tidy(() => tf.variable(tf.ones([3])));
      const optimizer = lookahead(sgd({ learningRate: 1 }), { slow, sync: 'inline' });
      const refused = { code: 'UNSUPPORTED', message: expect.stringMatching(/cpu or wasm/) };
      await expect(optimizer.step(() => halfSquare(w), false, [w])).rejects.toMatchObject(refused);
      expect(() => optimizer.minimize(() => halfSquare(w), false, [w])).toThrow(/callbacks\(\)/);
      expect(await read(w)).toEqual([1, 1, 1]);
    }
  });
});
