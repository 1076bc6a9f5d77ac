// Syncs alone: each at the end of a cycle of steps, from a device that has nothing to do until one that has done it.

import type { TrainingDevice } from '../devices/devices.js';
import type { Stepper } from '../workloads/steppers.js';
import type { SyncCost } from '../record-parts.js';
import { costOfSync } from './sync-costs.js';

export interface SyncTimes {
  /** Of the call, until it returns. */
  readonly callMs: readonly number[];
  /** From the same moment until the device has done it. */
  readonly doneMs: readonly number[];
  /** Null where nobody counts: without slowlane's Lookahead. */
  readonly costs: readonly SyncCost[] | null;
}

export async function timeSyncs(
  device: Pick<TrainingDevice, 'finished'>,
  stepper: Stepper,
  { syncs, syncPeriod }: { readonly syncs: number; readonly syncPeriod: number },
): Promise<SyncTimes> {
  const callMs: number[] = [];
  const doneMs: number[] = [];
  const costs: SyncCost[] = [];
  let before = stepper.lookahead?.stats();
  for (let sync = 0; sync < syncs; sync++) {
    for (let step = 0; step < syncPeriod; step++) {
      stepper.minimize();
      await device.finished();
    }
    const start = performance.now();
    await stepper.sync();
    callMs.push(performance.now() - start);
    await device.finished();
    doneMs.push(performance.now() - start);
    const after = stepper.lookahead?.stats();
    if (before !== undefined && after !== undefined) costs.push(costOfSync(before, after));
    before = after;
  }
  return { callMs, doneMs, costs: before === undefined ? null : costs };
}
