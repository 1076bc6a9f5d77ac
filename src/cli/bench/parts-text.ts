// Where the main thread's time in a sync goes, as a table: a row for p50 and one for p95.

import type { SyncSpreads } from '../../measure/sync-costs.js';
import { msText } from './bench-time-text.js';

export const PARTS_HEAD = ['of', 'at', 'sync', 'check', 'wait', 'pull', 'blend', 'push', 'turn'];

const PARTS = ['total', 'check', 'wait', 'pull', 'blend', 'push', 'readback'] as const;

export const PARTS_LEGEND =
  'sync: all of it on the main thread; the parts up to push are in it, each at its own p50 or p95, and so is a rest ' +
  'without a name. turn: the turn-around, which brings slow weights back into place on the host beside the steps, ' +
  'from the sync before to this one.';

/** None where nobody counts. */
export function partsOf(name: string, spreads: SyncSpreads | null): string[][] {
  if (spreads === null) return [];
  const rowAt = (at: string, rank: 'median' | 'p95') => [
    name,
    at,
    ...PARTS.map((part) => msText(spreads[part]?.[rank])),
  ];
  return [rowAt('p50', 'median'), rowAt('p95', 'p95')];
}
