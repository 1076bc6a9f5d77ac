// Syncs alone: each at the end of a cycle of steps, from a device that has nothing to do until one that has done it.

import type * as tf from '@tensorflow/tfjs-core';

import type { Lookahead, LookaheadStats } from '../../index.js';
import type { TrainingDevice } from '../devices/devices.js';
import { slowVariables, type Trained } from '../workloads/steppers.js';
import type { SyncCost } from '../record-parts.js';
import { costOfSync } from './sync-costs.js';

/** Steps and syncs apart. */
export interface Cycle {
  step(): void;
  /** What is due after the last step of a cycle. */
  sync(): Promise<void>;
  readonly stats?: () => LookaheadStats;
}

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
  cycle: Cycle,
  { syncs, syncPeriod }: { readonly syncs: number; readonly syncPeriod: number },
): Promise<SyncTimes> {
  const callMs: number[] = [];
  const doneMs: number[] = [];
  const costs: SyncCost[] = [];
  let before = cycle.stats?.();
  for (let sync = 0; sync < syncs; sync++) {
    for (let step = 0; step < syncPeriod; step++) {
      cycle.step();
      await device.finished();
    }
    const start = performance.now();
    await cycle.sync();
    callMs.push(performance.now() - start);
    await device.finished();
    doneMs.push(performance.now() - start);
    const after = cycle.stats?.();
    if (before !== undefined && after !== undefined) costs.push(costOfSync(before, after));
    before = after;
  }
  return { callMs, doneMs, costs: before === undefined ? null : costs };
}

export async function lookaheadCycle(
  { weights, loss }: Trained,
  optimizer: Lookahead,
): Promise<Cycle> {
  await optimizer.attach(weights);
  return {
    step: () => void optimizer.minimize(loss, false, weights),
    sync: () => optimizer.sync(),
    stats: () => optimizer.stats(),
  };
}

/** Slow weights as one writes them without slowlane. */
export function variablesCycle({ weights, loss }: Trained, optimizer: tf.Optimizer): Cycle {
  const slow = slowVariables(weights);
  return {
    step: () => void optimizer.minimize(loss, false, weights),
    sync: async () => slow.sync(),
  };
}
