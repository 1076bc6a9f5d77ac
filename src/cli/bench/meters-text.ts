// What cells took of memory at most, by meters that are kept apart, as a table.

import type { CellOptions } from '../../measure/record-parts.js';
import type { MemoryCell } from './memory/record.js';
import { type Column, NONE, type Sheet, sheetOf } from './sheet.js';

const MIB = 2 ** 20;

type Where = Pick<CellOptions, 'engine'>;

interface Measured {
  readonly cells: readonly Metered[];
  readonly options: Where;
}

type Metered = Pick<
  MemoryCell,
  | 'policy'
  | 'allocatorBytesPerParameter'
  | 'logicalBytesPerParameter'
  | 'allocatorBytes'
  | 'logicalBytes'
  | 'driver'
  | 'hostBytes'
  | 'peakRssBytes'
>;

/** `whenAsked`: the driver, about the process. */
export function metersSheet(title: string, record: Measured, whenAsked = ''): Sheet {
  const columns: Column<Metered>[] = [
    ['policy', ({ policy }) => policy],
    bytesPerParameterColumn(record.options),
    ['allocator', ({ allocatorBytes }) => mebibytes(allocatorBytes)],
    ['logical', ({ logicalBytes }) => mebibytes(logicalBytes)],
    ['driver', ({ driver: { peakBytes } }) => (peakBytes === null ? '?' : mebibytes(peakBytes))],
    ['host', ({ hostBytes }) => mebibytes(hostBytes)],
    ['RSS', ({ peakRssBytes }) => mebibytes(peakRssBytes)],
  ];
  return sheetOf(title, record.cells, columns, legendOf(record, whenAsked));
}

/** By the allocator, where there is one to count; the head says which meter it is. */
export function bytesPerParameterColumn(
  where: Where,
): Column<Pick<Metered, 'allocatorBytesPerParameter' | 'logicalBytesPerParameter'>> {
  return [
    `${hasAllocator(where) ? 'alloc.' : 'logical'}\nB/param`,
    (cell) =>
      (cell.allocatorBytesPerParameter ?? cell.logicalBytesPerParameter)?.toFixed(2) ?? NONE,
  ];
}

function legendOf({ cells, options }: Measured, whenAsked: string): string[] {
  const sources = new Set(cells.map(({ driver }) => driver.source));
  return [
    hasAllocator(options)
      ? 'allocator: all buffers on the device, free ones and those for transfers included; B/param uses it.'
      : `allocator: not available on ${options.engine}. B/param uses tfjs's own count there and cannot be compared with allocator numbers.`,
    "logical: TensorFlow.js's own count (tf.memory): a clone counts again; pools and staging buffers are not included.",
    sources.has('process') || sources.has('gpu')
      ? `driver: nvidia-smi, every 100 ms${whenAsked}${sources.has('gpu') ? '; the rise of the whole GPU where it reports no process' : ''}.`
      : 'driver: unknown here (a GPU with nvidia-smi reports it).',
    hasAllocator(options)
      ? 'host: slow weights and offloaded moments, and the buffers that they pass through. RSS: the whole process.'
      : "host: slow weights of slowlane's Lookahead and its staging buffers, which no other meter counts. RSS: the whole process.",
  ];
}

export function mebibytes(bytes: number | null): string {
  if (bytes === null) return NONE;
  const value = bytes / MIB;
  return value.toFixed(value < 100 ? 2 : 0);
}

function hasAllocator({ engine }: Where): boolean {
  return engine === 'webgpu';
}
