// Syncs alone: each at the end of a cycle of steps, from a device that has nothing to do until one that has done it.

import type { LookaheadStats } from '../../index.js';
import type { TrainingDevice } from '../devices/devices.js';
import type { Stepper } from '../workloads/steppers.js';
import type { SyncCost, SyncSpreads } from '../record-parts.js';
import { spreadOf } from './statistics.js';

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

const PARTS = ['total', 'check', 'wait', 'pull', 'blend', 'push', 'readback'] as const;

/** Of the one sync between `before` and `after`. Throws if there was not one: a time of nothing says nothing. */
export function costOfSync(before: LookaheadStats, after: LookaheadStats): SyncCost {
  const syncs = after.syncs - before.syncs;
  if (syncs !== 1) throw new Error(`There were ${syncs} syncs where one was due.`);
  return {
    ...partsFrom((part) => after.syncMs[part] - before.syncMs[part]),
    bytesPulled: after.bytesPulled - before.bytesPulled,
    bytesPushed: after.bytesPushed - before.bytesPushed,
  };
}

/** Null where there were no syncs. */
export function spreadsOfSyncs(costs: readonly SyncCost[] | null): SyncSpreads | null {
  if (costs === null || costs.length === 0) return null;
  return partsFrom((part) => spreadOf(costs.map((cost) => cost[part])));
}

function partsFrom<T>(valueOf: (part: (typeof PARTS)[number]) => T) {
  return Object.fromEntries(PARTS.map((part) => [part, valueOf(part)])) as Record<
    (typeof PARTS)[number],
    T
  >;
}
