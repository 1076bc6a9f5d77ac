// What the engine is for, in bytes: the stack of 16 layers (stack.ts) with Adam and Lookahead.
// BufferCount hears of each buffer from the device; the engine's own count has to be the same.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, type LookaheadOptions } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { openStock } from '#src/measure/devices/devices.js';
import { onDevice } from '#src/measure/workloads/steppers.js';
import { makeStack } from '#src/measure/workloads/stack.js';
import { updateInPlaceOn } from './update/in-place.js';
import { VramBudgetError } from '#src/engines/webgpu/memory/vram-budget-error.js';

import { BufferCount, describeWebGPU, errorOf, start } from './engine.js';
import { LEARNING_RATE, PARAMETERS, publishedFor, SIZE, stackOn, SYNC_PERIOD } from './stack.js';

/** Two syncs, and a step after the second. */
const STEPS = 2 * SYNC_PERIOD + 1;
/** Slow: about half a second a step. */
const TIMEOUT_MS = 600_000;

/** tfjs's losses; its bytes beside ours. */
let tfjsLosses: number[] = [];

async function valueOf(cost: tf.Scalar | null): Promise<number> {
  const [value = NaN] = (await cost?.data<'float32'>()) ?? [];
  cost?.dispose();
  return value;
}

/** Four pieces of 256 KiB, each up and down. */
const RING_BYTES = 2 * 4 * 2 ** 18;

async function train(
  gradients: 'keep' | 'release',
  options: LookaheadOptions,
  { vramBudget, steps = STEPS }: { vramBudget?: number; steps?: number } = {},
) {
  const engine = await start(vramBudget === undefined ? {} : { vramBudget });
  const count = new BufferCount(engine.backend.device, (bytes) => {
    if (vramBudget !== undefined) expect(bytes).toBeLessThanOrEqual(vramBudget);
  }).withoutHostBuffers(engine.backend);
  const { weights, loss } = await stackOn(engine);
  const optimizer = lookahead(adam({ learningRate: LEARNING_RATE, gradients }), {
    syncPeriod: SYNC_PERIOD,
    ...options,
  });
  const { counts } = updateInPlaceOn(engine.backend);
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    losses.push(await valueOf(await optimizer.step(loss, true, weights)));
    expect(counts.dispatches).toBe(step * SIZE.layers); // one a weight
  }
  const { hostBytes, peakBytes } = engine.memory();
  expect(peakBytes).toBe(count.peakBytes);
  const stats = optimizer.stats();
  expect(stats.syncs).toBe(Math.floor(steps / SYNC_PERIOD));
  expect(stats.bytesPulled).toBe(stats.syncs * stats.host.slowBytes);
  expect(stats.bytesPushed).toBe(stats.bytesPulled);
  optimizer.dispose();
  tf.disposeVariables();
  engine.stop();
  return { losses, peakBytes, perParameter: peakBytes / PARAMETERS, hostBytes };
}

function expectLosses(found: readonly number[], tolerance: number): void {
  found.forEach((loss, i) => {
    const relative = Math.abs(loss / (tfjsLosses[i] as number) - 1);
    expect(relative, `step ${i + 1}`).toBeLessThan(tolerance);
  });
}

// Minutes of software WebGPU: bytes do not depend on how the code was built.
describe('bytes per parameter', () => {
  describeWebGPU(stackTests);
});

function stackTests(): void {
  test(
    'tfjs: Adam with slow weights on the device takes more than 60 bytes a parameter',
    async () => {
      let count: BufferCount | undefined;
      const device = await openStock(undefined, {
        watchBuffers: (made) => (count = new BufferCount(made)),
        watchTensors: () => undefined,
      });
      const stack = await makeStack(device, SIZE);
      const stepper = onDevice(stack, tf.train.adam(LEARNING_RATE), SYNC_PERIOD);
      tfjsLosses = [];
      for (let step = 0; step < STEPS; step++) {
        tfjsLosses.push(await valueOf(await stepper.step(true)));
      }
      const perParameter = (count?.peakBytes ?? NaN) / PARAMETERS;
      expect(perParameter).toBeGreaterThan(60);
      expect(perParameter).toBeCloseTo(publishedFor('tfjs-adam-lookahead'), 1);
      expect(tfjsLosses.at(-1)).toBeLessThan(0.5 * (tfjsLosses[0] as number));
      await device.finished();
      tf.disposeVariables();
      tf.removeBackend('webgpu');
    },
    TIMEOUT_MS,
  );

  test(
    'gradients kept: at most 17.0 bytes a parameter, and the losses of tfjs',
    async () => {
      const { losses, perParameter, hostBytes } = await train('keep', {});
      expect(perParameter).toBeLessThanOrEqual(17);
      expect(perParameter).toBeCloseTo(publishedFor('keep+device:f32'), 1);
      expect(hostBytes).toBe(4 * PARAMETERS + RING_BYTES);
      expectLosses(losses, 1e-4);
    },
    TIMEOUT_MS,
  );

  test(
    'gradients released: at most 13.2 bytes a parameter, the losses of tfjs, also in just that much memory',
    async () => {
      const { losses, perParameter, peakBytes } = await train('release', {});
      expect(perParameter).toBeLessThanOrEqual(13.2);
      expect(perParameter).toBeCloseTo(publishedFor('release+device:f32'), 1);
      expectLosses(losses, 1e-4);

      // Every allocation is asserted to keep the budget.
      const within = await train('release', {}, { vramBudget: peakBytes, steps: SYNC_PERIOD + 1 });
      expect(within.losses).toEqual(losses.slice(0, SYNC_PERIOD + 1));

      const error = await errorOf(() =>
        train('release', {}, { vramBudget: Math.floor(0.8 * peakBytes), steps: 2 }),
      );
      if (!(error instanceof VramBudgetError)) throw error;
      expect(error.breakdown).toMatchObject({ weights: 4 * PARAMETERS, pool: 0 });
      expect(error.message).toContain('weights 16 MiB');
      tf.disposeVariables();
    },
    TIMEOUT_MS,
  );

  test(
    'slow weights in fp16: half the bytes on the host, losses of two cycles within 0.1 %',
    async () => {
      const { losses, perParameter, hostBytes } = await train(
        'release',
        { slow: 'host:f16' },
        { steps: 2 * SYNC_PERIOD },
      );
      expect(perParameter).toBeLessThanOrEqual(13.2);
      expect(hostBytes).toBe(2 * PARAMETERS + RING_BYTES);
      expectLosses(losses, 1e-3);
    },
    TIMEOUT_MS,
  );
}
