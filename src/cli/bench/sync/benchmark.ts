// `slowlane bench sync`: syncs against the bus, their times, and the main thread's part.

import { spreadOf } from '../../../measure/times/statistics.js';
import { spreadsOfSyncs } from '../../../measure/times/timed-syncs.js';
import { formatBytes, formatMs, formatPercent } from '../../../checks/quantities.js';
import { cellBenchmark } from '../cell-benchmark.js';
import { syncPartsSheet } from '../sync-parts.js';
import { type Column, msText, NONE, sheetOf, spreadColumns, workloadOf } from '../sheet.js';
import { SYNC_CELL, type SyncCell, type SyncOptions } from './record.js';

const GB = 1e9;

const SLOW: Column<SyncCell> = ['slow', ({ slow }) => slow];
const BYTES: Column<SyncCell> = [
  'bytes',
  ({ bytes }) => (bytes === null ? NONE : formatBytes(bytes)),
];
const SYNC_MS: Column<SyncCell> = ['sync', ({ doneMs }) => msText(doneMs?.median)];
const SYNC_RATE: Column<SyncCell> = [
  'sync GB/s',
  ({ bytesPerSecond }) => gigabytes(bytesPerSecond),
];

const BUS: readonly Column<SyncCell>[] = [
  SLOW,
  BYTES,
  SYNC_MS,
  ['bus', ({ bus }) => msText(spreadOf(bus?.roundMs ?? [])?.median)],
  SYNC_RATE,
  ['bus GB/s', ({ busBytesPerSecond }) => gigabytes(busBytesPerSecond)],
  [
    'share',
    ({ shareOfBus }) => (shareOfBus === null ? NONE : `${(100 * shareOfBus).toFixed(1)} %`),
  ],
];
/** Without WebGPU nothing measures the bus, where there is one. */
const COPIED = [SLOW, BYTES, SYNC_MS, SYNC_RATE];

export const SYNC = cellBenchmark<'sync', 'slow', SyncOptions, SyncCell>({
  name: 'sync',
  key: 'slow',
  schema: SYNC_CELL,
  namesOf: ({ slow }) => slow,
  requestOf: (options, slow) => ({ ...options, slow }),
  askDriverUntil: 'never',
  derive({ bytes, bus, times }) {
    const doneMs = spreadOf(times.doneMs);
    const rate = (ms = NaN) => (bytes === 0 || Number.isNaN(ms) ? null : bytes / (ms / 1000));
    const bytesPerSecond = rate(doneMs?.median);
    const busBytesPerSecond = rate(spreadOf(bus?.roundMs ?? [])?.median);
    return {
      callMs: spreadOf(times.callMs),
      doneMs,
      partsMs: spreadsOfSyncs(times.costs),
      bytesPerSecond,
      busBytesPerSecond,
      shareOfBus:
        bytesPerSecond === null || busBytesPerSecond === null
          ? null
          : bytesPerSecond / busBytesPerSecond,
    };
  },
  wordsOf({ doneMs, shareOfBus }) {
    const share = shareOfBus === null ? '' : `, ${formatPercent(shareOfBus)} of the bus`;
    return `${formatMs(doneMs?.median ?? NaN)} a sync${share}`;
  },
  title(record) {
    const { repeats, syncPeriod } = record.options;
    return (
      `${workloadOf(record)}, ` +
      `${repeats} syncs of Lookahead with Adam, one every ${syncPeriod} steps, each from an idle device.`
    );
  },
  sheets: ({ cells, options }) => [
    options.engine === 'webgpu'
      ? sheetOf('A sync against the bus, p50, ms:', cells, BUS, [
          'bytes: over the bus in a sync, up and down. bus: the same bytes in the same pieces by the ' +
            "device's own copies alone, in the same process. share: of those GB/s; 100 % is a sync that takes no " +
            'longer than its copies.',
        ])
      : sheetOf('A sync and what it copies, p50, ms:', cells, COPIED, [
          'bytes: copied in a sync, to the host and back. Nothing measures a bus without WebGPU.',
        ]),
    sheetOf(
      'Times of a sync, ms:',
      cells,
      [
        SLOW,
        ...spreadColumns<SyncCell>('call', ({ callMs }) => callMs),
        ...spreadColumns<SyncCell>('done', ({ doneMs }) => doneMs),
        ['first', ({ warmUpMs }) => msText(warmUpMs?.[0])],
      ],
      [
        'call: p50 of sync(), until it returns; done: until the device has finished. first: done, of the very first sync.',
      ],
    ),
    syncPartsSheet(cells.map(({ slow, partsMs }) => ({ name: slow, spreads: partsMs }))),
  ],
});

function gigabytes(bytesPerSecond: number | null): string {
  return bytesPerSecond === null ? NONE : (bytesPerSecond / GB).toPrecision(3);
}
