// Slow weights as tensors on the device.

import * as tf from '@tensorflow/tfjs-core';
import { type Lookahead, lookahead, momentum, sgd, type SlowFormat } from 'slowlane';
import { expect, test } from 'vitest';

import { halfSquare, noise, onEveryEngine, slowOf, valuesOf } from '../../engines.js';
import { trainShapes } from '../train-shapes.js';

const SHAPES = [[64, 64], [71, 67], [5000], []];

onEveryEngine(() => {
  const train = (optimizer: Lookahead, steps?: number) => trainShapes(SHAPES, optimizer, steps);

  test('device:f32 is float32, as tensors: the same training but for roundings, and no tensor leaks', async () => {
    const before = tf.memory().numTensors;
    for (const innerState of ['maintain', 'interpolate', 'reset'] as const) {
      const run = (slow: SlowFormat) =>
        train(
          lookahead(momentum({ learningRate: 0.05 }), {
            slow,
            innerState,
            syncPeriod: 2,
            slowStepSize: 0.3,
            workers: 0,
          }),
        );
      const [host, device] = [await run('host:f32'), await run('device:f32')];
      expect(device.slow).toHaveLength(host.slow.length);
      for (const [i, values] of host.slow.entries()) {
        const wrong = values.filter(
          (x, j) => !(Math.abs((device.slow[i]?.[j] as number) - x) < 1e-6),
        );
        expect(wrong).toEqual([]);
      }
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  test('device:f32: nothing on the host, 4 bytes a weight on the device; steps leave slow alone; discard', async () => {
    const weight = tf.variable(noise([64, 64], 1));
    const first = valuesOf(weight);
    const optimizer = lookahead(sgd({ learningRate: 0.5 }), { slow: 'device:f32', syncPeriod: 3 });
    const step = () => optimizer.step(() => halfSquare(weight), false, [weight]);
    await step();
    expect(await slowOf(optimizer)).toEqual([first]);
    expect(optimizer.stats()).toMatchObject({
      host: { slowBytes: 0, stagingBytes: 0 },
      device: { stagingBytes: 4 * 4096 },
      workers: 'device',
    });
    await optimizer.discard();
    expect(valuesOf(weight)).toEqual(first);
    // 1 → .5 → .25 → .125, halfway: .5625; then on from there.
    for (let i = 0; i < 3; i++) await step();
    const near = (factor: number) => (x: number, i: number) =>
      Math.abs(x - factor * (first[i] as number)) < 1e-6;
    expect(valuesOf(weight).every(near(0.5625))).toBe(true);
    await step();
    expect(valuesOf(weight).every(near(0.28125))).toBe(true);
    expect((await slowOf(optimizer))[0]?.every(near(0.5625))).toBe(true);
    optimizer.dispose();
    weight.dispose();
  });
});
