// Slow weights blended by the device: the numbers.

import * as tf from '@tensorflow/tfjs-core';
import { adam, adaptive, lookahead, type LookaheadOptions, momentum, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import { halfSquare, noise, read, slowOf } from '../../../engines.js';
import { describeWebGPU, start } from '../engine.js';

/** One sync from slow weights to fast ones, with k = 1; both afterwards. */
async function blended(
  slow: readonly number[],
  fast: readonly number[],
  options: LookaheadOptions,
  shape: number[] = [slow.length],
) {
  const weight = tf.tidy(() => tf.variable(tf.tensor([...slow], shape)));
  const optimizer = lookahead(sgd({ learningRate: 0 }), {
    syncPeriod: 1,
    replaced: 'ignore', // the fast weights are given
    ...options,
  });
  await optimizer.attach([weight]);
  optimizer.minimize(() => tf.sum<tf.Scalar>(weight), false, [weight]);
  tf.tidy(() => weight.assign(tf.tensor([...fast], shape)));
  await optimizer.sync();
  const after = { fast: await read(weight), slow: (await slowOf(optimizer))[0] ?? [] };
  optimizer.dispose();
  weight.dispose();
  return after;
}

/** A unit in the last place of a float32. */
const ulp = (x: number) =>
  2 ** Math.max(-149, Math.floor(Math.log2(Math.abs(x) || 2 ** -126)) - 23);

const numbers = (size: number, seed: number) => [...noise([size], seed).dataSync<'float32'>()];

describeWebGPU(() => {
  test.each([1, 3, 255, 4097, 70_000])(
    'float32, %d elements: the host’s blend but for the roundings of the product',
    async (size) => {
      await start();
      const slow = numbers(size, 1);
      const steps = numbers(size, 2);
      const fast = slow.map((s, i) => Math.fround(s + 0.1 * (steps[i] as number)));
      for (const a of [0.3, 0.5]) {
        const after = await blended(slow, fast, { slowStepSize: a, chunkBytes: 4096 });
        expect(after.slow).toEqual(after.fast);
        const wrong = slow.filter((s, i) => {
          const f = fast[i] as number;
          const onHost = Math.fround(s + a * (f - s));
          const bound = ulp(onHost) + 2 ** -22 * Math.abs(f - s);
          return !(Math.abs((after.slow[i] as number) - onHost) <= bound);
        });
        expect(wrong).toEqual([]);
      }
    },
    120_000,
  );

  test('α = 0, α = 1 and equal weights are exact, and nothing overflows at 3e38', async () => {
    await start();
    const slow = [3e38, -3e38, 1, -0, 1e-30, 7].map(Math.fround);
    const fast = [-3e38, 2e38, 1, -0, 2e-30, 8].map(Math.fround);
    expect((await blended(slow, fast, { slowStepSize: 0 })).fast).toEqual(slow);
    expect((await blended(slow, fast, { slowStepSize: 1 })).fast).toEqual(fast);
    const half = await blended(slow, fast, { slowStepSize: 0.5 });
    expect(half.fast[0]).toBe(0);
    expect((half.fast[1] as number) / -0.5e38).toBeCloseTo(1, 6); // the rounding of −3e38 and 2e38
    expect(half.fast.slice(2)).toEqual([1, -0, 1.5e-30, 7.5].map(Math.fround));
    expect(half.slow).toEqual(half.fast);
  });

  test('fp16: few elements, biases and slots of the inner state stay float32', async () => {
    const { memory } = await start();
    const weights = [noise([64, 64], 1), noise([64, 63], 2), noise([5000], 3)].map((values) =>
      tf.tidy(() => tf.variable(values)),
    );
    const optimizer = lookahead(momentum({ learningRate: 0.1 }), {
      slow: 'host:f16',
      syncPeriod: 2,
      innerState: 'interpolate',
    });
    const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
    for (let i = 0; i < 2; i++) await optimizer.step(loss, false, weights);
    // Parts begin at multiples of 256 bytes: 64 × 63 and 5000 floats are 16,128 and 20,000 → 20,224 bytes.
    const weightBytes = 2 * 4096 + 16_128 + 20_224;
    const slotBytes = 4 * 4096 + 16_128 + 20_224;
    expect(optimizer.stats()).toMatchObject({
      // Two pieces, for each of which there are two buffers as large as the larger one.
      host: { slowBytes: weightBytes + slotBytes, stagingBytes: 4 * slotBytes },
      keptInF32: 0,
      workers: 'device',
    });
    expect(memory().hostBytes).toBe(weightBytes + slotBytes + 4 * slotBytes);
    optimizer.dispose();
  });

  test('a weight that outgrows fp16 is kept in float32, and counted', async () => {
    await start();
    const weight = tf.tidy(() => tf.variable(noise([64, 64], 1)));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 1, slow: 'host:f16' });
    await optimizer.attach([weight]);
    await optimizer.sync();
    expect([optimizer.stats().keptInF32, optimizer.stats().host.slowBytes]).toEqual([0, 8192]);
    const values = await read(weight);
    const push = tf.tidy(() => tf.mul(tf.ones([64, 64]), -200_000));
    optimizer.applyGradients([{ name: weight.name, tensor: push }]);
    await optimizer.sync();
    const [slow = []] = await slowOf(optimizer);
    expect(optimizer.stats().keptInF32).toBe(1);
    // From here on 100,000 away, and kept to the bit.
    expect(slow).toEqual(await read(weight));
    expect(slow.every((s, i) => Math.abs(s - 100_000 - (values[i] as number)) < 0.1)).toBe(true);

    // From the start, and from a saved state.
    const large = tf.tidy(() => tf.variable(tf.fill([64, 64], 70_000)));
    const second = lookahead(sgd({ learningRate: 0 }), { slow: 'host:f16' });
    await second.attach([large]);
    expect(await slowOf(second)).toEqual([Array.from({ length: 4096 }, () => 70_000)]);
    const third = lookahead(sgd({ learningRate: 0 }), { slow: 'host:f16' });
    await third.setWeights(await second.getWeights());
    await third.attach([large]);
    expect(await slowOf(third)).toEqual(await slowOf(second));
    expect([second.stats().keptInF32, third.stats().keptInF32]).toEqual([1, 1]);
  });

  test.each(['host:f32', 'host:f16r8', 'host:f16', 'host:bf16', 'host:int8'] as const)(
    '%s: a run that is saved in mid-cycle and resumed goes on with the same bits',
    async (slow) => {
      await start();
      const train = async (isResumed: boolean) => {
        const weights = [noise([70, 64], 1), noise([9], 2)].map((v) =>
          tf.tidy(() => tf.variable(v)),
        );
        const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
        const make = () => lookahead(adam({ learningRate: 0.05 }), { slow, syncPeriod: 3 });
        let optimizer = make();
        for (let step = 0; step < 11; step++) {
          if (isResumed && step === 4) {
            const saved = await optimizer.getWeights();
            const next = make();
            await next.setWeights(saved);
            optimizer.dispose();
            optimizer = next;
          }
          await optimizer.step(loss, false, weights);
        }
        const values = [await Promise.all(weights.map(read)), await slowOf(optimizer)];
        optimizer.dispose();
        tf.dispose(weights);
        return values;
      };
      expect(await train(true)).toEqual(await train(false));
    },
  );

  test('adaptive(): the step size is that of the cpu engine', async () => {
    const run = async () => {
      const weight = tf.tidy(() => tf.variable(noise([300], 5)));
      const optimizer = lookahead(adam({ learningRate: 0.1 }), {
        syncPeriod: 2,
        slowStepSize: adaptive(),
        chunkBytes: 512,
      });
      for (let i = 0; i < 4; i++) await optimizer.step(() => halfSquare(weight), false, [weight]);
      const values = await read(weight);
      optimizer.dispose();
      weight.dispose();
      return values;
    };
    await tf.setBackend('cpu');
    const expected = await run();
    await start();
    const found = await run();
    found.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 4));
  });
});
