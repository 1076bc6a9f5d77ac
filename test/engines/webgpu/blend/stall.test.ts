// Slow weights that stall, blended by the device. A sync is judged when its slow weights have come round: by the next.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, type LookaheadOptions, sgd } from 'slowlane';
import { expect, test, vi } from 'vitest';

import type { BudgetedBackend } from '#src/engines/webgpu/budgeted-backend.js';

import { halfSquare, read, slowOf } from '../../../engines.js';
import { describeWebGPU, errorOf, start, variable } from '../engine.js';

/** A unit in the last place of 100 in float32. */
const PLACE = 2 ** -17;

const warnings = () =>
  vi.mocked(console.warn).mock.calls.filter(([text]) => String(text).includes('Slow weights in'));

/** Bytes of the buffers that are made from now on to read from the device, and how often commands are submitted. */
function watchReads({ pool, device }: BudgetedBackend) {
  const seen = { bytes: 0, submits: 0 };
  const acquire = pool.acquireBuffer.bind(pool);
  pool.acquireBuffer = (size, usage, ...rest) => {
    if ((usage & GPUBufferUsage.MAP_READ) !== 0) seen.bytes += size;
    return acquire(size, usage, ...rest);
  };
  const submit = device.queue.submit.bind(device.queue);
  device.queue.submit = (commands) => {
    seen.submits++;
    return submit(commands);
  };
  return seen;
}

describeWebGPU(() => {
  test('float32 that stalls: a warning, then one error, after a sync that is complete', async () => {
    await start();
    // As test/lookahead/stall.test.ts has it on the host: ¼ of a place is wanted at each sync.
    const weight = tf.tidy(() => tf.variable(tf.fill([10, 10], 100)));
    const optimizer = lookahead(sgd({ learningRate: PLACE }), { slowStepSize: 0.05 });
    const step = () => optimizer.step(() => tf.sum<tf.Scalar>(weight), false, [weight]);
    for (let i = 0; i < 34; i++) await step();
    expect(warnings()).toHaveLength(1);
    // The first 6 syncs are proof, as on the host, and the 7th has them.
    expect(await errorOf(step)).toMatchObject({
      code: 'STALLED',
      details: { format: 'f32', unmoved: 1, samples: 600, step: 35 },
    });
    expect([optimizer.due, optimizer.stats().syncs, optimizer.iterations]).toEqual([false, 7, 35]);
    const hundreds = Array.from({ length: 100 }, () => 100);
    expect([await read(weight), (await slowOf(optimizer))[0]]).toEqual([hundreds, hundreds]);
    for (let i = 0; i < 15; i++) await step();
    await optimizer.getWeights(); // the last slow weights have come round
    expect(optimizer.stats()).toMatchObject({ syncs: 10, stall: { unmoved: 1, samples: 1000 } });
    expect(warnings()).toHaveLength(1);
    optimizer.dispose();
  });

  test.each(['host:f16', 'host:f16r8', 'host:int8'] as const)(
    '%s at a learning rate of 1e-5 does not stall: the samples are those of the host',
    async (slow) => {
      const run = async () => {
        const weights = [variable([70, 64], 1), variable([30], 2)];
        const optimizer = lookahead(adam({ learningRate: 1e-5 }), { slow, syncPeriod: 2 });
        const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
        for (let i = 0; i < 20; i++) await optimizer.step(loss, false, weights);
        await optimizer.withSlowWeights(() => undefined); // the last slow weights have come round
        const { stall } = optimizer.stats();
        optimizer.dispose();
        return stall;
      };
      await tf.setBackend('cpu');
      const onHost = await run();
      tf.disposeVariables();
      await start();
      const found = await run();
      expect(found.samples).toBe(onHost.samples);
      // Adam's steps differ by roundings, and so does what the draws make of them.
      expect(Math.abs(found.unmoved - onHost.unmoved)).toBeLessThan(0.02);
      expect(Math.abs(found.share - onHost.share)).toBeLessThan(0.05);
      if (slow === 'host:f16') expect(found.unmoved).toBeGreaterThan(0.6);
      expect(warnings()).toEqual([]);
    },
  );

  test('the samples come with the read of the check: at most 4 KiB more, and nothing else', async () => {
    const { backend } = await start();
    const counted = async (options: LookaheadOptions) => {
      const weights = [variable([64, 64], 1), variable([64, 65], 2), variable([5], 3)];
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 1, ...options });
      const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
      await optimizer.step(loss, false, weights); // pipelines
      await optimizer.getWeights(); // the slow weights have come round
      backend.trim();
      const seen = watchReads(backend);
      await optimizer.step(loss, false, weights);
      const values = [await Promise.all(weights.map(read)), await slowOf(optimizer)];
      optimizer.dispose();
      return { ...seen, values };
    };
    for (const slow of ['host:f32', 'host:f16'] as const) {
      const without = await counted({ slow, stall: 'ignore' });
      const looking = await counted({ slow });
      expect(looking.values).toEqual(without.values); // not a bit differs
      expect(looking.submits).toBe(without.submits);
      expect(looking.bytes - without.bytes).toBeGreaterThan(0);
      expect(looking.bytes - without.bytes).toBeLessThanOrEqual(4096);
    }
  });

  test("'warn' never throws, and slow weights captured in between are no samples", async () => {
    await start();
    const weight = tf.tidy(() => tf.variable(tf.fill([20, 50], 100)));
    const optimizer = lookahead(sgd({ learningRate: PLACE }), {
      slowStepSize: 0.05,
      stall: 'warn',
    });
    const step = () => optimizer.step(() => tf.sum<tf.Scalar>(weight), false, [weight]);
    for (let i = 0; i < 12; i++) await step();
    await optimizer.resync(); // slow := fast, two places below
    for (let i = 0; i < 13; i++) await step();
    await optimizer.discard();
    // 1,000 of 1,000 weights at each of 4 syncs; the last may be on its way.
    expect(optimizer.stats()).toMatchObject({ syncs: 4, stall: { unmoved: 1, samples: 4000 } });
    expect(optimizer.stats().stall.share).toBeCloseTo(1, 3);
    expect(warnings()).toHaveLength(1);
    optimizer.dispose();
  });
});
