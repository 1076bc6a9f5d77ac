// Weights that a synchronous step sees for the first time: their values are copied to the host before the step changes
// them, in the device's queue.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, type LookaheadOptions, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import { SLOW_FORMATS } from '#src/slow/slow-format.js';

import { halfSquare, noise, read, slowOf } from '../../../engines.js';
import { describeWebGPU, errorOf, start, variable } from '../engine.js';

describeWebGPU(() => {
  test.each(SLOW_FORMATS)(
    '%s: minimize(f), which cannot wait, begins with the bits of step(f, false, weights), which can',
    async (slow) => {
      const engine = await start();
      const train = async (how: 'step' | 'minimize' | 'applyGradients') => {
        const weights = tf.tidy(() => {
          const values = [noise([64, 65], 1), noise([7], 2), tf.mul(noise([64, 64], 3), 1e5)];
          return values.map((value) => tf.variable(value));
        });
        const options: LookaheadOptions = { slow, syncPeriod: 2, chunkBytes: 4096 };
        const optimizer = lookahead(adam({ learningRate: 0.1 }), options);
        const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
        const { numTensors } = tf.memory();
        for (let i = 0; i < 3; i++) {
          if (how === 'step') await optimizer.step(loss, false, weights);
          if (how === 'minimize') optimizer.minimize(loss);
          if (how === 'applyGradients') {
            const { value, grads } = tf.variableGrads(loss, weights);
            optimizer.applyGradients(grads);
            tf.dispose([value, grads]);
          }
          await optimizer.sync();
        }
        const kept = optimizer.stats().keptInF32;
        const fast = await Promise.all(weights.map(read));
        const slowValues = await slowOf(optimizer);
        const { hostBytes } = engine.memory();
        // Two moments a weight, and slow weights where they are tensors.
        const state = 3 * weights.length - (slow === 'device:f32' ? 0 : weights.length);
        expect(tf.memory().numTensors).toBe(numTensors + state);
        optimizer.dispose();
        tf.dispose(weights);
        expect(engine.memory().hostBytes).toBe(0);
        return { fast, slowValues, kept, hostBytes };
      };
      const expected = await train('step');
      expect(expected.kept).toBe(slow.startsWith('host:f16') ? 1 : 0); // beyond 65504
      expect(await train('minimize')).toEqual(expected);
      expect(await train('applyGradients')).toEqual(expected);
    },
  );

  test('no host memory for the copy: the step does not happen, and the next one is the first', async () => {
    const { backend } = await start();
    const weight = variable([65, 65], 1);
    const before = await read(weight);
    const optimizer = lookahead(sgd({ learningRate: 0.5 }), { syncPeriod: 1 });
    const minimize = () => optimizer.minimize(() => halfSquare(weight), false, [weight]);
    const { hostBuffers } = backend;
    const create = hostBuffers.create.bind(hostBuffers);
    let made = 0;
    hostBuffers.create = (size, usage) => {
      if (++made === 3) throw new RangeError('no memory'); // after the two of the slow weights
      return create(size, usage);
    };
    expect(minimize).toThrow('no memory');
    expect(await read(weight)).toEqual(before);
    minimize();
    await optimizer.sync();
    expect(optimizer.iterations).toBe(1);
    expect(await slowOf(optimizer)).toEqual([before.map((x) => Math.fround(0.75 * x))]); // x → x/2 → ¾ x
    optimizer.dispose();
  });

  test('a copy that the device fails is an error in all calls, never zeros', async () => {
    const { backend } = await start();
    const weight = variable([65, 65], 1);
    const optimizer = lookahead(sgd({ learningRate: 0.5 }), { syncPeriod: 1 });
    const { queue } = backend.device;
    const submit = queue.submit.bind(queue);
    queue.submit = (commands) => {
      if (new Error().stack?.includes('TakenValues.#judged') === true) {
        backend.device.createBuffer({ size: 4, usage: 0 }); // refused, which is said later
      }
      return submit(commands);
    };
    optimizer.minimize(() => halfSquare(weight), false, [weight]);
    queue.submit = submit;
    for (const call of ['sync', 'discard', 'finish', 'resync'] as const) {
      const error = await errorOf(() => optimizer[call]());
      expect(error).toMatchObject({ code: 'DEVICE_FAILED' });
      expect(String(error)).toContain('Make a new Lookahead');
    }
    optimizer.dispose();
  });

  test('a first step whose gradient the device fails: discard() goes back to the weights before it', async () => {
    const { backend } = await start();
    const weight = variable([65, 65], 1);
    const before = await read(weight);
    await read(tf.square(weight)); // it is on the device, and well
    const optimizer = lookahead(sgd({ learningRate: 0.5 }), { syncPeriod: 1 });
    const loss = () => {
      backend.device.createBuffer({ size: 4, usage: 0 }); // refused, which is said later
      return halfSquare(weight);
    };
    optimizer.minimize(loss, false, [weight]);
    expect(await errorOf(() => read(weight))).toMatchObject({ code: 'DEVICE_FAILED' });
    await optimizer.discard();
    expect(await read(weight)).toEqual(before);
    optimizer.dispose();
  });

  test('weights that go before the copy is read take it with them', async () => {
    const { memory } = await start();
    const [gone, left] = [variable([65, 65], 1), variable([65, 65], 2)];
    const optimizer = lookahead(sgd({ learningRate: 0.5 }), { syncPeriod: 5 });
    const loss = () => tf.add<tf.Scalar>(halfSquare(gone), halfSquare(left));
    optimizer.minimize(loss, false, [gone, left]);
    gone.dispose();
    await optimizer.sync();
    optimizer.minimize(() => halfSquare(left), false, [left]);
    await optimizer.finish();
    // 4 · 65² to the next multiple of 256; a pair for each of the two that there were.
    expect(memory().hostBytes).toBe((2 + 4) * 17_152);
    optimizer.dispose();
    expect(memory().hostBytes).toBe(0);
  });
});
