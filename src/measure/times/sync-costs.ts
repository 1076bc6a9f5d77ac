// What one sync costs the main thread, and what it moves: the differences of Lookahead's own counters.

import type { LookaheadStats } from '../../index.js';
import type { SyncCost, SyncSpreads } from '../record-parts.js';
import { spreadOf } from './statistics.js';

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
