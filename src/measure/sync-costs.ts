// What one sync costs the main thread, and what it moves: the differences of Lookahead's own counters.

import type { LookaheadStats } from '../index.js';
import { type Spread, spreadOf } from './statistics.js';

const PARTS = ['total', 'check', 'wait', 'pull', 'blend', 'push', 'readback'] as const;
type Part = (typeof PARTS)[number];

/** Milliseconds of the main thread in one sync, and bytes over the bus. */
export interface SyncCost extends Readonly<Record<Part, number>> {
  /** The whole sync; of the parts all but `readback` are in it. */
  readonly total: number;
  /** Looking for weights that are not finite; waits for steps that the device has not done. */
  readonly check: number;
  /** For slow weights that are still on their way from the sync before. */
  readonly wait: number;
  readonly pull: number;
  /** Recording it, where the device blends. */
  readonly blend: number;
  readonly push: number;
  /** Between the sync before and this one: bringing slow weights back into place, beside the steps. */
  readonly readback: number;
  readonly bytesPulled: number;
  readonly bytesPushed: number;
}

/** Of each part, over all syncs. */
export type SyncSpreads = Readonly<Record<Part, Spread | null>>;

/** Of the one sync between `before` and `after`. Throws if there was not one: a time of nothing says nothing. */
export function costOfSync(before: LookaheadStats, after: LookaheadStats): SyncCost {
  const syncs = after.syncs - before.syncs;
  if (syncs !== 1) throw new Error(`There were ${syncs} syncs where one was due.`);
  const [from, to] = [before.syncMs, after.syncMs];
  return {
    total: to.total - from.total,
    check: to.check - from.check,
    wait: to.wait - from.wait,
    pull: to.pull - from.pull,
    blend: to.blend - from.blend,
    push: to.push - from.push,
    readback: to.readback - from.readback,
    bytesPulled: after.bytesPulled - before.bytesPulled,
    bytesPushed: after.bytesPushed - before.bytesPushed,
  };
}

/** Null where there were no syncs. */
export function spreadsOfSyncs(costs: readonly SyncCost[] | null): SyncSpreads | null {
  if (costs === null || costs.length === 0) return null;
  const of = (part: Part) => spreadOf(costs.map((cost) => cost[part]));
  return {
    total: of('total'),
    check: of('check'),
    wait: of('wait'),
    pull: of('pull'),
    blend: of('blend'),
    push: of('push'),
    readback: of('readback'),
  };
}
