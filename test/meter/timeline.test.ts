// A timeline is bounded, and what it keeps is exact.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { adam, meter } from 'slowlane';
import { expect, test } from 'vitest';

import { CATEGORIES, PHASES, PLACES } from '#src/engine/categories.js';
import { MOVES_KEPT } from '#src/meter/move-log.js';
import type { MoveColumns } from '#src/meter/timeline-data.js';
import { MAX_ROWS } from '#src/meter/step-rows.js';
import { Timeline } from '#src/meter/timeline.js';

/** Bytes by category after all moves of `columns`. */
function replayed({ start, from, to, bytes }: MoveColumns): number[] {
  const held = [...start, 0]; // and `free`
  bytes.forEach((size, i) => {
    held[from[i] as number]! -= size;
    held[to[i] as number]! += size;
  });
  return held.slice(0, CATEGORIES.length);
}

test('any moves: the first ones and the last ones lead to what is held', () => {
  const move = fc.record({
    bytes: fc.integer({ min: 1, max: 1000 }),
    from: fc.constantFrom(...PLACES),
    to: fc.constantFrom(...PLACES),
    phase: fc.constantFrom(...PHASES),
  });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 50 }), (moves) => {
      const timeline = new Timeline();
      timeline.beginStep(0, 'other');
      // Many times over, so that the ring goes round.
      for (let i = 0; i < 300; i++) {
        for (const { bytes, from, to, phase } of moves) timeline.move(bytes, from, to, phase);
      }
      const { first, last } = timeline.data({ kind: 'allocator', budgetBytes: Infinity });
      expect(replayed(last ?? first)).toEqual(CATEGORIES.map((name) => timeline.bytes[name]));
      expect(first.bytes.length).toBeLessThanOrEqual(MOVES_KEPT);
      expect(last?.bytes.length ?? 0).toBeLessThanOrEqual(MOVES_KEPT);
    }),
    { numRuns: 30 },
  );
});

test('100,000 steps: at most 512 rows, and the peak of one step among them is kept with its step', () => {
  const timeline = new Timeline();
  timeline.beginStep(0, 'other');
  timeline.move(400, 'free', 'weights', 'other');
  for (let step = 1; step <= 100_000; step++) {
    timeline.beginStep(step, 'other');
    const bytes = step === 77_777 ? 5000 : 100;
    timeline.move(bytes, 'free', 'activations', 'forward');
    timeline.move(bytes, 'activations', 'free', 'backward');
  }
  const { steps, first, last, moves } = timeline.data({ kind: 'allocator', budgetBytes: Infinity });
  expect(moves).toBe(200_001);
  expect(steps.step.length).toBeLessThanOrEqual(MAX_ROWS);
  expect(steps.stepsPerRow).toBe(256); // 100,000 / 512 = 195.3, and so the next power of 2
  expect(steps.step.slice(0, 3)).toEqual([0, 256, 512]);
  const peaks = steps.peak[CATEGORIES.indexOf('activations')] ?? [];
  expect(Math.max(...peaks)).toBe(5000);
  const at = peaks.indexOf(5000);
  expect(steps.peakStep[at]).toBe(77_777);
  expect(PHASES[steps.peakPhase[at] ?? 0]).toBe('forward');
  expect(steps.begin[CATEGORIES.indexOf('weights')]?.slice(0, 2)).toEqual([0, 400]);
  expect(first.step.at(-1)).toBe(2048); // 1 + 2 × 2047 moves, and the first of the next step
  expect(last?.step.at(-1)).toBe(100_000);
  expect(last?.step[0]).toBe(100_000 - MOVES_KEPT / 2 + 1);
});

test('on an engine whose allocator is not ours: what tensors hold when each step begins', async () => {
  await tf.setBackend('cpu');
  const metered = meter();
  expect(metered.source).toBe('tensors');
  const weight = tf.variable(tf.ones([100]), true, 'meter/kernel');
  const optimizer = adam();
  const loss = () => tf.mean(tf.square(weight)) as tf.Scalar;
  for (let step = 1; step <= 2; step++) {
    metered.beginStep(step);
    optimizer.minimize(loss, false, [weight]);
  }
  metered.stop();
  metered.beginStep(3); // too late
  const { steps, source, budgetBytes } = metered.timeline();
  expect(source).toBe('tensors');
  expect(budgetBytes).toBeNull();
  expect(steps.step).toEqual([0, 1, 2]);
  expect(steps.begin[0]).toEqual([0, 400, 400]); // weights
  expect(steps.begin[2]).toEqual([0, 0, 800]); // moments
  expect(metered.bytes.weights + metered.bytes.moments).toBe(1200);
  optimizer.dispose();
  weight.dispose();
});

test('wrong options', () => {
  expect(() => meter({ onevent: () => {} } as never)).toThrow(/onEvent/);
  expect(() => meter({ onEvent: 3 as never })).toThrow(TypeError);
});
