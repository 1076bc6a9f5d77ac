// Where the main thread's time in a sync goes, as a table: a row for p50 and one for p95.

import type { SyncPart, SyncSpreads } from '../../measure/record-parts.js';
import { type Column, msText, type Sheet, sheetOf } from './sheet.js';

interface Row {
  readonly name: string;
  readonly at: 'p50' | 'p95';
  readonly spreads: SyncSpreads;
}

const part = (head: string, name: SyncPart): Column<Row> => [
  head,
  ({ at, spreads }) => msText(spreads[name]?.[at === 'p50' ? 'median' : 'p95']),
];

const COLUMNS: readonly Column<Row>[] = [
  ['of', ({ name }) => name],
  ['at', ({ at }) => at],
  part('sync', 'total'),
  part('check', 'check'),
  part('wait', 'wait'),
  part('pull', 'pull'),
  part('blend', 'blend'),
  part('push', 'push'),
  part('read\nback', 'readback'),
];

/** Null spreads: nothing counts a sync's parts. */
export function syncPartsSheet(
  cells: readonly { readonly name: string; readonly spreads: SyncSpreads | null }[],
): Sheet {
  const rows = cells.flatMap(({ name, spreads }): Row[] =>
    spreads === null ? [] : (['p50', 'p95'] as const).map((at) => ({ name, at, spreads })),
  );
  return sheetOf('The main thread in a sync, ms:', rows, COLUMNS, [
    'sync: all of it on the main thread. The parts up to push are in it, each at its own p50 or p95; the rest has no name. ' +
      'read back: copying slow weights back into place on the host, beside the steps between the previous sync and this one.',
  ]);
}
