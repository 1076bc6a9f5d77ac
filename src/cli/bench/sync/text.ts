// What `bench sync` has measured, for the terminal: syncs against the bus, their times, and the main thread's part.

import type { SyncCell, SyncRecord } from './sync-record.js';
import { formatBytes } from '../../../checks/quantities.js';
import { PARTS_HEAD, PARTS_LEGEND, partsOf } from '../parts-text.js';
import { failuresOf, headOf, NONE, workloadOf } from '../table.js';
import { tableText } from '../../terminal/table.js';
import { msText } from '../bench-time-text.js';
import { wrapped } from '../../terminal/wrapped.js';

const BUS = ['slow', 'bytes', 'sync', 'bus', 'sync GB/s', 'bus GB/s', 'share'];
/** Without WebGPU nothing measures the bus, where there is one. */
const COPIED = ['slow', 'bytes', 'sync', 'sync GB/s'];
const TIMES = ['slow', 'call', 'p95', 'max', 'done', 'p95', 'max', 'first'];
const GB = 1e9;

/** Tables, or plain lines where a terminal has too few `columns` for them. */
export function syncText(record: SyncRecord, columns = Infinity): string {
  const { cells } = record;
  const text = (lines: readonly string[]) => lines.map((line) => wrapped(line, columns));
  const parts = cells.flatMap(({ slow, partsMs }) => partsOf(slow, partsMs));
  const hasBus = record.options.engine === 'webgpu';
  const title = hasBus ? 'A sync against the bus, p50, ms:' : 'A sync and what it copies, p50, ms:';
  return [
    ...text([...headOf(record), whatOf(record), '', title]),
    ...tableText(hasBus ? BUS : COPIED, cells.map(hasBus ? busOf : copiedOf), columns),
    ...text([
      hasBus
        ? 'bytes: over the bus in a sync, up and down. bus: the same bytes in the same pieces by the ' +
          "device's own copies alone, in the same process. share: of those GB/s; 100 % is a sync that takes no " +
          'longer than its copies.'
        : 'bytes: copied in a sync, to the host and back. Nothing measures a bus without WebGPU.',
      '',
      'Times of a sync, ms:',
    ]),
    ...tableText(TIMES, cells.map(timesOf), columns),
    ...text([
      'call: p50 of sync(), until it returns; done: until the device has done it. first: done, of the first of all.',
    ]),
    ...(parts.length === 0 ? [] : text(['', 'The main thread in a sync, ms:'])),
    ...tableText(PARTS_HEAD, parts, columns),
    ...(parts.length === 0 ? [] : text([PARTS_LEGEND])),
    ...text(failuresOf(cells.map(({ slow, failure }) => ({ name: slow, failure })))),
  ].join('\n');
}

function whatOf(record: SyncRecord): string {
  const { repeats, syncPeriod } = record.options;
  return (
    `${workloadOf(record)}, ` +
    `${repeats} syncs of Lookahead with Adam, one every ${syncPeriod} steps, each from an idle device.`
  );
}

function copiedOf({ slow, bytes, doneMs, bytesPerSecond }: SyncCell): string[] {
  const copied = bytes === null ? NONE : formatBytes(bytes);
  return [slow, copied, msText(doneMs?.median), gigabytes(bytesPerSecond)];
}

function busOf(cell: SyncCell): string[] {
  const { bytes, busBytesPerSecond, shareOfBus } = cell;
  const busMs =
    busBytesPerSecond === null || bytes === null ? undefined : (1000 * bytes) / busBytesPerSecond;
  const [slow = '', copied = '', sync = '', speed = ''] = copiedOf(cell);
  const share = shareOfBus === null ? NONE : `${(100 * shareOfBus).toFixed(1)} %`;
  return [slow, copied, sync, msText(busMs), speed, gigabytes(busBytesPerSecond), share];
}

function timesOf({ slow, callMs, doneMs, warmUpMs }: SyncCell): string[] {
  const of = (spread: typeof callMs) => [
    msText(spread?.median),
    msText(spread?.p95),
    msText(spread?.max),
  ];
  return [slow, ...of(callMs), ...of(doneMs), msText(warmUpMs?.[0])];
}

function gigabytes(bytesPerSecond: number | null): string {
  return bytesPerSecond === null ? NONE : (bytesPerSecond / GB).toPrecision(3);
}
