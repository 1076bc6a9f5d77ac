// The meter against the allocator: whatever trains, the categories add up at every event.

import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { adam, lookahead, meter, type MeterEvent } from 'slowlane';

import { CATEGORIES } from '#src/engine/categories.js';
import { NO_WATCHER } from '#src/engines/webgpu/memory/buffer-pool.js';
import { BufferCount, describeWebGPU, errorOf, start, TinyModel } from '../engine.js';

const sum = (by: Readonly<Record<string, number>>) =>
  Object.values(by).reduce((total, bytes) => total + bytes, 0);

describeWebGPU(() => {
  const inners = {
    "tfjs's Adam": () => tf.train.adam(1e-3),
    'adam()': () => adam(),
    'adam() with released gradients': () => adam({ gradients: 'release' }),
    'adam() with moments on the host': () => adam({ moments: 'host:q8' }),
  };
  test.each(Object.entries(inners))(
    '%s: the sum is what the device has at every event, the parts are those of memory() at every step',
    async (_, make) => {
      const { backend, memory } = await start();
      const count = new BufferCount(backend.device).withoutHostBuffers(backend);
      const model = new TinyModel();
      const before = memory().allocatedBytes;
      const faults: unknown[] = [];
      let events = 0;
      const metered = meter({
        onEvent: (event) => {
          events += 1;
          const isWhole = sum(event.after) === backend.pool.numBytesAllocated;
          const isCounted = sum(event.after) === before + count.bytes;
          // The first events are those of what was there before.
          const isEarly = event.step === 0;
          const isReal = CATEGORIES.every((category) => event.after[category] >= 0);
          if (!isReal || !(isEarly || (isWhole && isCounted))) faults.push(event);
        },
      });
      expect(metered.source).toBe('allocator');
      const optimizer = lookahead(make(), { syncPeriod: 2, slow: 'host:f16' });
      const x = tf.randomNormal([32, 16]);
      const loss = () => {
        const hidden = tf.relu(tf.matMul(x, model.weights[0] as tf.Tensor));
        return tf.mean(tf.square(tf.matMul(hidden, model.weights[1] as tf.Tensor))) as tf.Scalar;
      };
      for (let step = 1; step <= 5; step++) {
        metered.beginStep(step);
        expect(metered.bytes, `step ${step}`).toEqual(memory().by);
        const cost = await optimizer.step(loss, true, model.weights);
        await cost?.data();
        cost?.dispose();
      }
      metered.stop();
      expect(faults).toEqual([]);
      expect(metered.bytes).toEqual(memory().by);
      const timeline = metered.timeline();
      expect(timeline.moves).toBe(events);
      expect(timeline.last).toBeNull();
      expect(timeline.steps.step).toEqual([0, 1, 2, 3, 4, 5]);
      const peak = timeline.peak.bytes.reduce((total, bytes) => total + bytes, 0);
      expect(peak).toBe(memory().peakBytes);
      optimizer.dispose();
    },
  );

  test('what is made when: activations forward, gradients backward, moments kept, staging in a sync', async () => {
    await start();
    const events: MeterEvent[] = [];
    const model = new TinyModel(tf.train.adam(1e-3));
    await model.step(64);
    const metered = meter({ onEvent: (event) => events.push(event) });
    await model.step(64);
    const optimizer = lookahead(adam(), { syncPeriod: 1, slow: 'host:f16' });
    for (let i = 0; i < 2; i++) {
      await optimizer.step(
        () => tf.mean(tf.square(model.weights[0] as tf.Tensor)) as tf.Scalar,
        false,
        model.weights.slice(0, 1),
      );
    }
    metered.stop();
    const made = (phase: string) =>
      new Set(
        events
          .filter((event) => event.step > 0 && event.phase === phase && event.bytes >= 4096)
          .filter(({ from }) => from === 'free' || from === 'pool')
          .map(({ to }) => to),
      );
    expect(made('forward')).toContain('activations');
    expect(made('forward')).not.toContain('gradients');
    expect(made('backward')).toContain('gradients');
    expect(made('backward')).not.toContain('activations');
    // tfjs's Adam makes new moments, which are known as that when the update is over.
    const becomes = events.filter(({ step, to }) => step > 0 && to === 'moments');
    expect(becomes.some(({ phase }) => phase === 'update')).toBe(true);
    expect(events.some(({ phase, to }) => phase === 'sync' && to === 'staging')).toBe(true);
    expect(Math.max(...events.map(({ step }) => step))).toBe(3); // counted by their forward passes
    optimizer.dispose();
  });

  test('off, the pool tells nobody; a stopped meter sees nothing more; only one runs', async () => {
    const { backend } = await start();
    expect(backend.pool.watcher).toBe(NO_WATCHER);
    const metered = meter();
    expect(await errorOf(() => meter())).toMatchObject({ code: 'WRONG_STATE' });
    tf.tidy(() => tf.square(tf.ones([1000])));
    metered.stop();
    metered.stop();
    expect(backend.pool.watcher).toBe(NO_WATCHER);
    const { moves } = metered.timeline();
    expect(moves).toBeGreaterThan(0);
    const kept = tf.square(tf.ones([1000]));
    expect(metered.timeline().moves).toBe(moves);
    kept.dispose();
    meter().stop(); // again
  });

  test('a listener that throws loses no allocation and is heard of', async () => {
    const { memory } = await start();
    const metered = meter({
      onEvent: () => {
        throw new Error('mine');
      },
    });
    const x = tf.square(tf.ones([1000]));
    expect(metered.bytes).toEqual(memory().by);
    expect((await x.data())[0]).toBe(1);
    expect(() => metered.timeline()).toThrow('mine');
    metered.stop();
  });

  test('the budget is in the timeline', async () => {
    await start({ vramBudget: '64MiB' });
    const metered = meter();
    expect(metered.timeline().budgetBytes).toBe(64 * 2 ** 20);
    metered.stop();
  });
});
