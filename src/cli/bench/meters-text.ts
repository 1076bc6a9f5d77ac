// What cells took of memory at most, by meters that are kept apart, as a table.

import type { CellOptions } from '../../measure/cell-options.js';
import type { DriverBytes } from '../../measure/driver-meter.js';
import { NONE } from './table.js';

const MIB = 2 ** 20;
const METERS = ['allocator', 'logical', 'driver', 'host', 'RSS'];

type Where = Pick<CellOptions, 'engine'>;

/** Null if the cell did not end well. */
export interface Metered {
  readonly policy: string;
  readonly allocatorBytesPerParameter: number | null;
  readonly logicalBytesPerParameter: number | null;
  readonly allocatorBytes: number | null;
  readonly logicalBytes: number | null;
  readonly driver: DriverBytes;
  readonly hostBytes: number | null;
  readonly peakRssBytes: number | null;
}

/** Bytes a parameter never without the meter that they are by: the allocator, where there is one to count. */
export function metersHead(where: Where): string[] {
  return ['policy', bytesPerParameterHead(where), ...METERS];
}

export function bytesPerParameterHead(where: Where): string {
  return `${hasAllocator(where) ? 'alloc.' : 'logical'}\nB/param`;
}

export function metersOf(cell: Metered): string[] {
  return [
    cell.policy,
    bytesPerParameterText(cell),
    mebibytes(cell.allocatorBytes),
    mebibytes(cell.logicalBytes),
    cell.driver.peakBytes === null ? '?' : mebibytes(cell.driver.peakBytes),
    mebibytes(cell.hostBytes),
    mebibytes(cell.peakRssBytes),
  ];
}

export function bytesPerParameterText(
  cell: Pick<Metered, 'allocatorBytesPerParameter' | 'logicalBytesPerParameter'>,
): string {
  const value = cell.allocatorBytesPerParameter ?? cell.logicalBytesPerParameter;
  return value === null ? NONE : value.toFixed(2);
}

/** `whenAsked`: the driver, about the process. */
export function metersLegend(
  { cells, options }: { readonly cells: readonly Metered[]; readonly options: Where },
  whenAsked = '',
): string[] {
  const sources = new Set(cells.map(({ driver }) => driver.source));
  return [
    hasAllocator(options)
      ? 'allocator: all buffers on the device, free ones and those for transfers too; B/param is by it.'
      : `allocator: nothing tells of it on ${options.engine}; B/param is by the logical count, and compares with no allocator's.`,
    "logical: TensorFlow.js's own count (tf.memory): a clone counts again, pools and staging do not.",
    sources.has('process') || sources.has('gpu')
      ? `driver: nvidia-smi, every 100 ms${whenAsked}${sources.has('gpu') ? '; the rise of the whole GPU where it tells no process' : ''}.`
      : 'driver: unknown here (a GPU with nvidia-smi tells it).',
    hasAllocator(options)
      ? 'host: slow weights, and moments if they wait there, in host memory that the device can reach. RSS: the whole process.'
      : "host: slow weights of slowlane's Lookahead, and what its syncs stage, in no other count. RSS: the whole process.",
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
