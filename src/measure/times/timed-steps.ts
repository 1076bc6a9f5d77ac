// Steps, each waited for until the GPU has done it.

import type { TrainingDevice } from '../devices/devices.js';
import type { Spread } from '../record-parts.js';
import { spreadOf } from './statistics.js';
import type { Stepper } from '../workloads/steppers.js';

/** A list for each repeat; every `syncPeriod`th is a sync step. */
export type StepTimes = readonly (readonly number[])[];

export async function timeSteps(
  device: Pick<TrainingDevice, 'finished'>,
  stepper: Stepper,
  { repeats, steps }: { readonly repeats: number; readonly steps: number },
  /** Told after each step of a repeat, the first is 1; its time counts for none. */
  afterStep: (step: number) => void = () => undefined,
): Promise<number[][]> {
  const repeatsMs: number[][] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const stepsMs: number[] = [];
    for (let step = 0; step < steps; step++) {
      const start = performance.now();
      await stepper.step(false);
      await device.finished();
      stepsMs.push(performance.now() - start);
      afterStep(step + 1);
    }
    repeatsMs.push(stepsMs);
  }
  return repeatsMs;
}

/** Steps that end no cycle, and those that end one: with the sync, where there is Lookahead. */
export function spreadsOf(
  times: StepTimes,
  syncPeriod: number,
): { stepMs: Spread | null; syncStepMs: Spread | null } {
  const timesOf = (endsCycle: boolean) =>
    times.flatMap((repeat) => repeat.filter((_, i) => ((i + 1) % syncPeriod === 0) === endsCycle));
  return { stepMs: spreadOf(timesOf(false)), syncStepMs: spreadOf(timesOf(true)) };
}
