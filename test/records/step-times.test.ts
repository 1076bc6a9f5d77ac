// Step times in bounded columns, and records as they are read again.

import { expect, test } from 'vitest';

import { MAX_TIME_ROWS, StepClock } from '#src/records/step-times.js';
import { memoryPoints } from '#src/report/memory-points.js';
import { readRunRecord } from '#src/records/read-record.js';
import { runRecordToJson } from '#src/records/run-record.js';
import { RECORD } from '../report/records.js';
import { timedRun, timeline } from '../report/timelines.js';

test('10,000 steps take rows of 8, whose mean, slowest step and syncs are those of the steps', () => {
  const { stepTimes } = timedRun(10_000);
  expect(stepTimes.stepsPerRow).toBe(8); // 10,000 / 2048 = 4.9, and so the next power of 2
  expect(stepTimes.ms).toHaveLength(1250);
  expect(stepTimes.stepsInLastRow).toBe(8);
  expect(stepTimes.ms[0]).toBe(10.63); // (8 × 10 + 5) / 8 = 10.625: one sync in steps 1 to 8
  expect(stepTimes.slowestMs[0]).toBe(15);
  expect(stepTimes.syncs.reduce((sum, syncs) => sum + syncs, 0)).toBe(2000);
  expect(stepTimes.syncPhases.blend.reduce((sum, ms) => sum + ms, 0)).toBe(10_000);
  expect(stepTimes.syncPhases.pull[0]).toBe(0);
});

test('rows run out at the same place whatever the last one holds', () => {
  const clock = new StepClock();
  for (let step = 0; step < MAX_TIME_ROWS + 1; step++) clock.add(step);
  const { stepsPerRow, stepsInLastRow, ms } = clock.columns();
  expect([stepsPerRow, stepsInLastRow]).toEqual([2, 1]);
  expect(ms).toHaveLength(MAX_TIME_ROWS / 2 + 1);
  expect(ms.slice(0, 2)).toEqual([0.5, 2.5]);
});

test.each([3, 3000])(
  'the points of %i steps: in order, never below 0, from the first step on',
  (steps) => {
    const data = timeline(steps);
    const { x, size, absolute, from, to, step } = memoryPoints(data);
    expect(x).toEqual(x.toSorted((a, b) => a - b));
    expect(step.at(-1)).toBe(steps);
    let held: number[] = [];
    const sums = x.map((_, i) => {
      if (absolute[i] !== undefined) held = [...absolute[i], 0];
      else {
        held[from[i] as number]! -= size[i] as number;
        held[to[i] as number]! += size[i] as number;
      }
      expect(Math.min(...held.slice(0, -1))).toBeGreaterThanOrEqual(0);
      return held.slice(0, -1).reduce((sum, bytes) => sum + bytes, 0);
    });
    expect(Math.max(...sums)).toBe(4 * 2 ** 20); // weights, activations, gradients
  },
);

test('a record with a timeline survives JSON, in columns of one line', () => {
  const record = timedRun(2000, 2 ** 30);
  const text = runRecordToJson(record);
  expect(readRunRecord(text)).toEqual(record);
  expect(text.length).toBeLessThan(300_000);
  expect(text).toContain(`"peakStep": [1,4,8,`); // 2,000 steps in rows of 4: the first of each that has most
});

const damaged = (change: object) => JSON.stringify({ ...RECORD, ...change });
const { first } = timeline(2);
const nowhere = { ...timeline(2), first: { ...first, to: first.to.map(() => 99) } };
const uneven = { ...timeline(2), first: { ...timeline(2).first, bytes: [1] } };
test.each([
  ['{', 'It is not JSON.'],
  ['[]', 'This is no record of a run'],
  ['{"tool":"other"}', 'This is no record of a run'],
  [damaged({ version: 3 }), 'This record has version 3; this slowlane reads version 2.'],
  [damaged({ version: 1 }), 'This record has version 1; this slowlane reads version 2.'],
  [damaged({ version: '2' }), 'This record has version "2" (string)'],
  [damaged({ options: {} }), "damaged: options has no 'inner'"], // the run's name on a page
  [damaged({ steps: { planned: 3 } }), "damaged: steps has no 'done'"],
  [
    damaged({ losses: [{ step: 1, loss: 'x' }] }),
    'damaged: losses[0].loss must be number or null, got "x" (string)',
  ],
  [damaged({ timeline: {} }), "damaged: timeline has no 'version'"],
  [damaged({ timeline: nowhere }), 'damaged: its timeline has places or phases without a name'],
  [damaged({ timeline: uneven }), 'the columns of timeline moves differ in length'],
])('%.40j… is refused', (text, message) => {
  expect(() => readRunRecord(text)).toThrow(message);
});
