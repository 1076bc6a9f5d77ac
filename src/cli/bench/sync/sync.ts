// `slowlane bench sync`: one place of slow weights after the other, each in a fresh process.

import { measureCell } from '../cells.js';
import type { SlowPlace } from '../../../measure/slow-places.js';
import { syncCellOf } from './sync-cell.js';
import type { SyncCell, SyncOptions } from './sync-record.js';
import { formatMs, formatPercent } from '../../../checks/quantities.js';
import { measureEach } from '../cells-progress.js';
import type { Benchmark } from '../run.js';
import { syncText } from './text.js';

export const SYNC: Benchmark<'sync', SyncOptions, SyncCell> = {
  name: 'sync',
  measure: (options, signal) =>
    measureEach(options.slow, signal, (place) => measureOne(place, options, signal), endOf),
  text: syncText,
  saysAnything: ({ status }) => status === 'done',
};

async function measureOne(
  place: SlowPlace,
  options: SyncOptions,
  signal: AbortSignal,
): Promise<SyncCell> {
  const conditions = { timeoutMs: options.cellTimeoutMs, signal };
  return syncCellOf(place, await measureCell('sync', { ...options, place }, conditions));
}

function endOf({ doneMs, shareOfBus, status, failure }: SyncCell): string {
  if (doneMs === null) return `${status}: ${failure?.reason ?? ''}`;
  const share = shareOfBus === null ? '' : `, ${formatPercent(shareOfBus)} of the bus`;
  return `${formatMs(doneMs.median)} a sync${share}`;
}
