// Timelines and step times for tests, made as a run makes them.

import { Timeline } from '#src/meter/timeline.js';
import type { TimelineData } from '#src/meter/timeline-data.js';
import type { RunRecord } from '#src/records/run-record.js';
import { StepClock } from '#src/records/step-times.js';
import { RECORD } from './records.js';

const MIB = 2 ** 20;

/** Each step: 1 MiB of activations forward, as much of gradients backward; 2 MiB of weights stay. */
export function timeline(steps: number, budgetBytes = Infinity): TimelineData {
  const made = new Timeline();
  made.beginStep(0, 'other');
  made.move(2 * MIB, 'free', 'weights', 'other');
  for (let step = 1; step <= steps; step++) {
    made.beginStep(step, 'other');
    made.move(MIB, step === 1 ? 'free' : 'pool', 'activations', 'forward');
    made.move(MIB, step === 1 ? 'free' : 'pool', 'gradients', 'backward');
    made.move(MIB, 'activations', 'pool', 'backward');
    made.move(MIB, 'gradients', 'pool', 'update');
  }
  return made.data({ kind: 'allocator', budgetBytes });
}

/** 10 ms a step, and 5 more where it syncs: every 5th. */
export function timedRun(steps: number, budgetBytes?: number): RunRecord {
  const clock = new StepClock();
  const none = { check: 0, wait: 0, pull: 0, push: 0 };
  for (let step = 1; step <= steps; step++) {
    const syncs = Math.floor(step / 5);
    const phases = { ...none, blend: 5 * syncs };
    clock.add(step % 5 === 0 ? 15 : 10, { syncs, totalMs: 5 * syncs, phases });
  }
  return {
    ...RECORD,
    steps: { planned: steps, done: steps },
    stepTimes: clock.columns(),
    timeline: timeline(steps, budgetBytes),
  };
}
