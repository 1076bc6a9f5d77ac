// Weights with a place and a precision of their own on the WebGPU engine: one store on the device, one on the host.

import * as tf from '@tensorflow/tfjs-core';
import { lookahead, sgd, type SlowFormat } from 'slowlane';
import { expect, test } from 'vitest';

import { halfSquare, read, slowOf } from '../../../engines.js';
import { describeWebGPU, start, variable } from '../engine.js';

const MIX: readonly SlowFormat[] = ['host:int8', 'device:f32', 'host:f16', 'host:f32'];

describeWebGPU(() => {
  test('a mix of formats gives each weight the bits of a Lookahead that uses its format for all', async () => {
    const { backend } = await start();
    const train = async (formats: readonly SlowFormat[]) => {
      const weights = formats.map((_, i) => variable([64, 70], i + 1));
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), {
        overrides: weights.map(({ name }, i) => ({
          weights: name,
          slow: formats[i] as SlowFormat,
        })),
        syncPeriod: 2,
      });
      const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
      for (let i = 0; i < 5; i++) await optimizer.step(loss, false, weights);
      const slow = await slowOf(optimizer);
      const fast = await Promise.all(weights.map(read));
      await optimizer.discard();
      expect(await Promise.all(weights.map(read))).toEqual(slow);
      expect(optimizer.stats().workers).toBe('device');
      optimizer.dispose();
      tf.dispose(weights);
      return { fast, slow };
    };
    const mixed = await train(MIX);
    for (const [i, format] of MIX.entries()) {
      const alone = await train(MIX.map(() => format));
      expect([mixed.fast[i], mixed.slow[i]]).toEqual([alone.fast[i], alone.slow[i]]);
    }
    expect(backend.hostBuffers.bytes).toBe(0);
  });

  test('no host memory for the weights of one place: those of the other are not tracked either', async () => {
    const { backend } = await start();
    const [a, b] = [variable([70], 1), variable([80], 2)];
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), {
      overrides: [{ weights: a.name, slow: 'device:f32' }],
    });
    const { hostBuffers } = backend;
    const create = hostBuffers.create.bind(hostBuffers);
    hostBuffers.create = () => {
      throw new RangeError('no host memory');
    };
    await expect(optimizer.attach([a, b])).rejects.toThrow('no host memory');
    hostBuffers.create = create;
    expect(optimizer.stats().device.stagingBytes).toBe(0);
    await optimizer.attach([a, b]);
    expect(await slowOf(optimizer)).toEqual([await read(a), await read(b)]);
    optimizer.dispose();
  });
});
