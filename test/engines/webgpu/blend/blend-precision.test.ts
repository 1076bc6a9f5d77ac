// Slow weights below float32, blended by the device: stored are the bits of the host's codecs.

import * as tf from '@tensorflow/tfjs-core';
import { lookahead, type LookaheadOptions, sgd, type SlowFormat } from 'slowlane';
import { beforeAll, describe, expect, test } from 'vitest';

import { CODECS } from '#workers/codecs/codec.js';
import { type QuantizedFormat, storedBytes } from '#workers/codecs/value-format.js';

import { halfSquare, noise } from '../../../engines.js';
import { describeWebGPU, start } from '../engine.js';

const FORMATS: readonly QuantizedFormat[] = ['f16r8', 'f16', 'bf16', 'int8'];
const read = async (tensor: tf.Tensor) => tensor.data<'float32'>();

/** `values` as the host's codec stores them. */
function stored(format: QuantizedFormat, values: Float32Array, round: number): Float32Array {
  const quantized = new Uint8Array(storedBytes(format, values.length));
  CODECS[format].encode(values, quantized, 0, { item: 0, round });
  const back = new Float32Array(values.length);
  CODECS[format].decode(quantized, back);
  return back;
}

async function slowOf(optimizer: ReturnType<typeof lookahead>): Promise<Float32Array> {
  const saved = await optimizer.getWeights();
  const slow = saved.find(({ name }) => name.startsWith('slow/'));
  return read((slow as (typeof saved)[number]).tensor);
}

/** One sync from `slow` to `fast`, with k = 1. */
async function blended(
  slow: Float32Array,
  fast: Float32Array,
  shape: number[],
  options: LookaheadOptions,
) {
  const weight = tf.tidy(() => tf.variable(tf.tensor(slow.slice(), shape)));
  const optimizer = lookahead(sgd({ learningRate: 0 }), {
    syncPeriod: 1,
    replaced: 'ignore', // the fast weights are given
    ...options,
  });
  await optimizer.attach([weight]);
  const captured = await slowOf(optimizer);
  optimizer.minimize(() => tf.sum<tf.Scalar>(weight), false, [weight]);
  tf.tidy(() => weight.assign(tf.tensor(fast.slice(), shape)));
  await optimizer.sync();
  const after = { captured, fast: await read(weight), slow: await slowOf(optimizer) };
  await optimizer.discard();
  expect(await read(weight)).toEqual(after.slow); // what comes back is what is stored
  optimizer.dispose();
  return after;
}

/** Noise, and in it values where formats are at their limits. */
function values(size: number, seed: number): Float32Array {
  const some = noise([size], seed).dataSync<'float32'>().slice();
  some.set(
    [0, -0, 65504, -65504, 2 ** -14, -(2 ** -15), 3e-8, 1e-20, 1 - 2 ** -13, 2 - 2 ** -22],
    300,
  );
  some.fill(0, 512, 768); // a block of int8
  for (let i = 1024; i < 1280; i++) some[i] = (some[i] as number) * 1e-6;
  return some;
}

describeWebGPU(() => {
  // What an engine that stops goes back to: one that is ready at once, unlike wasm.
  beforeAll(async () => void (await tf.setBackend('cpu')));

  describe.each(FORMATS)('%s', (format) => {
    test.each([
      ['64 × 64', [64, 64], 1 << 20],
      ['67 × 63, an odd number of elements in pieces', [67, 63], 3072],
      ['70 × 65, an even one', [70, 65], 5000],
    ])(
      '%s: stored are the host’s bits, and the fast weights keep what rounding takes',
      async (_, shape, chunkBytes) => {
        const { backend } = await start();
        const size = tf.util.sizeFromShape(shape);
        const [slow, fast] = [values(size, 3), values(size, 4)];
        const options = { slow: `host:${format}` as SlowFormat, chunkBytes };
        const after = await blended(slow, fast, shape, options);
        // φ₀ rounded, in round 0.
        expect(after.captured).toEqual(stored(format, slow, 0));
        expect(after.slow).toEqual(stored(format, after.fast, 1));
        after.fast.forEach((r, i) => {
          const exact = 0.5 * (after.captured[i] as number) + 0.5 * (fast[i] as number);
          expect(Math.abs(r - exact)).toBeLessThanOrEqual(2 ** -22 * Math.max(1, Math.abs(exact)));
        });
        expect(after.fast).not.toEqual(after.slow);
        expect(backend.hostBuffers.bytes).toBe(0); // disposed
      },
    );
  });

  test.each([
    ['host:f16r8', 3],
    ['host:f16', 2],
    ['host:bf16', 2],
    ['host:int8', 1 + 4 / 256],
  ] as const)('%s takes %d bytes a weight', async (slow, bytes) => {
    await start();
    const weight = tf.tidy(() => tf.variable(noise([256, 256], 1)));
    const optimizer = lookahead(sgd({ learningRate: 0 }), { slow });
    await optimizer.attach([weight]);
    expect(optimizer.stats().host.slowBytes).toBe(65_536 * bytes);
    optimizer.dispose();
  });

  test('beyond 65504, bf16 and int8 stay, f16r8 outgrows', async () => {
    await start();
    const large = tf.tidy(() => tf.variable(tf.fill([64, 64], 70_000)));
    const keptInF32: number[] = [];
    for (const slow of ['host:f16r8', 'host:bf16', 'host:int8'] as const) {
      const optimizer = lookahead(sgd({ learningRate: 0 }), { slow });
      await optimizer.attach([large]);
      keptInF32.push(optimizer.stats().keptInF32);
      const kept = (await slowOf(optimizer))[0] as number;
      expect(Math.abs(kept - 70_000)).toBeLessThanOrEqual(slow === 'host:bf16' ? 512 : 0);
      optimizer.dispose();
    }
    expect(keptInF32).toEqual([1, 0, 0]);
  });

  test.each(['host:f16', 'host:f16r8'] as const)(
    '%s: a sync notices the weight of three that outgrows it: 1 → 200,001, half of the way is 100,001',
    async (slow) => {
      await start();
      const weights = [1, 2, 3].map(() => tf.tidy(() => tf.variable(tf.ones([64, 64]))));
      const optimizer = lookahead(sgd({ learningRate: 0.5 }), { slow, syncPeriod: 1 });
      const loss = () =>
        tf.addN(weights.map((w, i) => tf.mul(tf.sum(w), i === 1 ? -4e5 : 1))) as tf.Scalar;
      await optimizer.step(loss, false, weights);
      expect(optimizer.stats().keptInF32).toBe(1);
      const values = async () => Promise.all(weights.map(async (w) => (await read(w))[7]));
      expect(await values()).toEqual([0.75, 100_001, 0.75]);
      await optimizer.discard(); // what is stored
      expect(await values()).toEqual([0.75, 100_001, 0.75]);
      optimizer.dispose();
    },
  );

  test('device:f32: updates in place leave the slow weights alone, and a sync is the cpu’s', async () => {
    const run = async (slow: SlowFormat) => {
      const weight = tf.tidy(() => tf.variable(noise([64, 64], 1)));
      const optimizer = lookahead(sgd({ learningRate: 0.5 }), { slow, syncPeriod: 2, workers: 0 });
      const seen: Float32Array[] = [];
      for (let i = 0; i < 3; i++) {
        await optimizer.step(() => halfSquare(weight), false, [weight]);
        seen.push((await read(weight)).slice(), await slowOf(optimizer));
      }
      await optimizer.discard();
      seen.push(await read(weight));
      optimizer.dispose();
      weight.dispose();
      return seen;
    };
    const expected = await run('host:f32'); // on cpu
    await start();
    const found = await run('device:f32');
    for (const [i, values] of expected.entries()) {
      const far = values.filter((x, j) => !(Math.abs(x - (found[i]?.[j] as number)) < 1e-6));
      expect([...far]).toEqual([]);
    }
  });
});
