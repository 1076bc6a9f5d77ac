// Slow weights below float32, blended on the host: the numbers, whatever the chunks, the workers and their fate.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as tf from '@tensorflow/tfjs-core';
import {
  adam,
  adaptive,
  Lookahead,
  lookahead,
  type LookaheadOptions,
  momentum,
  sgd,
  type SlowFormat,
} from 'slowlane';
import { describe, expect, test } from 'vitest';

import { checkLookaheadOptions } from '#src/lookahead/options.js';
import { CODECS } from '#workers/codecs/codec.js';
import { type QuantizedFormat, storedBytes } from '#workers/codecs/value-format.js';

import { entry } from '../../built.js';
import { halfSquare, noise, onEveryEngine, slowOf, valuesOf } from '../../engines.js';
import { trainShapes } from '../train-shapes.js';
import { failToWrite } from '../../failing-device.js';
import type { Fault } from '../../workers/faulty/worker.js';

const FORMATS: readonly QuantizedFormat[] = ['f16r8', 'f16', 'bf16', 'int8'];
const placed = (format: QuantizedFormat) => `host:${format}` as SlowFormat;

/** `values` as they are stored. */
function stored(format: QuantizedFormat, values: readonly number[], item: number, round: number) {
  const quantized = new Uint8Array(storedBytes(format, values.length));
  CODECS[format].encode(Float32Array.from(values), quantized, 0, { item, round });
  const back = new Float32Array(values.length);
  CODECS[format].decode(quantized, back);
  return [...back];
}

/** Quantized, quantized with odd lengths and in several chunks, and two that stay float32. */
const SHAPES = [[64, 64], [71, 67], [5000], [20, 20], [3, 1400]];

onEveryEngine(() => {
  const train = (optimizer: Lookahead, steps?: number) => trainShapes(SHAPES, optimizer, steps);

  describe.each(FORMATS)('%s', (format) => {
    const options: LookaheadOptions = {
      slow: placed(format),
      syncPeriod: 2,
      slowStepSize: 0.3,
      workers: 0,
    };
    const make = (more: LookaheadOptions = {}) =>
      lookahead(momentum({ learningRate: 0.05 }), { ...options, ...more });

    test('the fast weights keep the blend, the store its rounding; φ₀ is rounded in round 0', async () => {
      const weight = tf.variable(noise([67, 65], 1));
      const first = valuesOf(weight);
      const optimizer = lookahead(sgd({ learningRate: 0 }), {
        ...options,
        syncPeriod: 1,
        replaced: 'ignore',
      });
      await optimizer.attach([weight]);
      const start = stored(format, first, 0, 0);
      expect(await slowOf(optimizer)).toEqual([start]);
      optimizer.minimize(() => tf.sum<tf.Scalar>(weight), false, [weight]);
      weight.assign(noise([67, 65], 2));
      const fast = valuesOf(weight);
      await optimizer.sync();
      const blend = start.map((s, i) => Math.fround(s + 0.3 * ((fast[i] as number) - s)));
      expect(valuesOf(weight)).toEqual(blend);
      expect(await slowOf(optimizer)).toEqual([stored(format, blend, 0, 1)]);
      optimizer.dispose();
      weight.dispose();
    });

    test('chunk size and worker count do not matter, to the bit', async () => {
      const whole = await train(make());
      for (const more of [
        { chunkBytes: 4 },
        { chunkBytes: 5000 },
        { chunkBytes: 8192, workers: 2 },
      ])
        expect(await train(make(more))).toEqual(whole);
    });

    test('saved in mid-cycle and resumed, a run goes on with the same bits', async () => {
      const run = async (isResumed: boolean) => {
        const weights = SHAPES.map((shape, i) => tf.tidy(() => tf.variable(noise(shape, i + 1))));
        const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
        let optimizer = make({ syncPeriod: 3 });
        for (let step = 0; step < 8; step++) {
          if (isResumed && step === 4) {
            const next = make({ syncPeriod: 3 });
            await next.setWeights(await optimizer.getWeights());
            optimizer.dispose();
            optimizer = next;
          }
          await optimizer.step(loss, false, weights);
        }
        const result = [weights.map(valuesOf), await slowOf(optimizer)];
        optimizer.dispose();
        tf.dispose(weights);
        return result;
      };
      expect(await run(true)).toEqual(await run(false));
    });

    test.each(['mid-compute', 'marked', 'mid-copy', 'between copies'] as const)(
      'a worker that dies (%s): bit-identical weights',
      async (at) => {
        const folder = mkdtempSync(join(tmpdir(), 'slowlane-fault-'));
        try {
          const fault: Fault = { at, block: 1, by: 'exit', times: 2, folder };
          process.env['SLOWLANE_FAULT'] = JSON.stringify(fault);
          const settings = checkLookaheadOptions({ ...options, workers: 1, chunkBytes: 20_000 });
          const workerFile = new URL(`file://${entry('test/workers/faulty/worker.ts')}`);
          const faulty = new Lookahead(momentum({ learningRate: 0.05 }), {
            ...settings,
            workerFile,
          });
          expect(await train(faulty, 4)).toEqual(await train(make(), 4));
        } finally {
          delete process.env['SLOWLANE_FAULT'];
          rmSync(folder, { recursive: true });
        }
      },
    );
  });

  test('a device that fails in mid-sync: nothing is blended twice; fast goes on from what is stored', async () => {
    const run = async (isFailing: boolean) => {
      const weights = [1, 2].map((seed) => tf.tidy(() => tf.variable(noise([64, 64], seed))));
      const options = { slow: 'host:f16', syncPeriod: 1, workers: 0 } as const;
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), options);
      await optimizer.attach(weights);
      const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
      optimizer.minimize(loss, false, weights);
      if (isFailing) {
        const putBack = failToWrite(weights[1] as tf.Variable);
        await expect(optimizer.sync()).rejects.toThrow('the device failed');
        putBack();
      }
      await optimizer.sync();
      const result = { fast: weights.map(valuesOf), slow: await slowOf(optimizer) };
      optimizer.dispose();
      tf.dispose(weights);
      return result;
    };
    const [whole, broken] = [await run(false), await run(true)];
    expect(broken.slow).toEqual(whole.slow);
    expect(broken.fast).toEqual(whole.slow);
    expect(whole.fast).not.toEqual(whole.slow);
  });

  test.each([
    ['host:f32', 4],
    ['host:f16r8', 3],
    ['host:f16', 2],
    ['host:bf16', 2],
    ['host:int8', 1 + 4 / 256],
  ] as const)('%s takes %d bytes a weight', async (slow, bytes) => {
    const weight = tf.variable(noise([256, 256], 1));
    const optimizer = lookahead(sgd({ learningRate: 0 }), { slow, workers: 0 });
    await optimizer.attach([weight]);
    expect(optimizer.stats().host.slowBytes).toBe(65_536 * bytes);
    optimizer.dispose();
    weight.dispose();
  });

  test('few elements, one dimension and slots of the inner state stay float32', async () => {
    const weights = [[64, 64], [64, 63], [5000]].map((shape) => tf.variable(noise(shape, 1)));
    const optimizer = lookahead(momentum({ learningRate: 0.1 }), {
      slow: 'host:f16',
      syncPeriod: 2,
      innerState: 'interpolate',
      workers: 0,
    });
    const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
    for (let i = 0; i < 2; i++) await optimizer.step(loss, false, weights);
    expect(optimizer.stats().host.slowBytes).toBe(4096 * (2 + 4) + (4032 + 5000) * (4 + 4));
    optimizer.dispose();
    tf.dispose(weights);
  });

  test.each(['host:f16', 'host:f16r8'] as const)(
    '%s: a weight that outgrows ±65504 is kept in float32, and counted',
    async (slow) => {
      const weights = [noise([64, 64], 1), noise([64, 64], 2)].map((x) => tf.variable(x));
      const optimizer = lookahead(sgd({ learningRate: 1 }), { slow, syncPeriod: 1, workers: 0 });
      await optimizer.attach(weights);
      const before = optimizer.stats().host.slowBytes;
      const [first] = weights as [tf.Variable];
      const push = tf.mul(tf.ones([64, 64]), -200_000);
      optimizer.applyGradients([{ name: first.name, tensor: push }]);
      await optimizer.sync();
      expect(optimizer.stats().keptInF32).toBe(1);
      expect((await slowOf(optimizer))[0]).toEqual(valuesOf(first));
      expect(valuesOf(first)[0]).toBeGreaterThan(99_000);
      expect(optimizer.stats().host.slowBytes).toBeGreaterThan(before);

      // From the start, and from a saved state.
      const next = lookahead(sgd({ learningRate: 1 }), { slow, workers: 0 });
      await next.setWeights(await optimizer.getWeights());
      await next.attach(weights);
      expect(next.stats().keptInF32).toBe(1);
      expect(await slowOf(next)).toEqual(await slowOf(optimizer));
      const fresh = lookahead(sgd({ learningRate: 1 }), { slow, workers: 0 });
      await fresh.attach(weights);
      expect(fresh.stats().keptInF32).toBe(1);
      expect((await slowOf(fresh))[0]).toEqual(valuesOf(first));
      for (const one of [optimizer, next, fresh]) one.dispose();
      tf.dispose([weights, push]);
    },
  );

  test('adaptive() measures from what is stored', async () => {
    const run = async (slow: SlowFormat) => {
      const weight = tf.variable(noise([70, 60], 5));
      const optimizer = lookahead(adam({ learningRate: 0.1 }), {
        syncPeriod: 2,
        slowStepSize: adaptive(),
        slow,
        workers: 0,
      });
      for (let i = 0; i < 4; i++) await optimizer.step(() => halfSquare(weight), false, [weight]);
      const values = valuesOf(weight);
      optimizer.dispose();
      weight.dispose();
      return values;
    };
    const f32 = await run('host:f32');
    for (const slow of ['host:f16r8', 'device:f32'] as const) {
      const values = await run(slow);
      f32.forEach((x, i) => expect(values[i]).toBeCloseTo(x, 4));
    }
  });
});
