// Lookahead on the WebGPU engine: slow weights in host memory, fast ones updated in place on the device.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import golden from '../../golden.json' with { type: 'json' };
import { halfSquare, noise, read } from '../../engines.js';
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
});
