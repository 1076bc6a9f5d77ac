// What cells took of memory at most, by meters that are kept apart, as a table.

import type { DriverBytes } from '../bench/peaks.js';
import { NONE } from './bench-table.js';

const MIB = 2 ** 20;

export const METERS = ['policy', 'B/param', 'allocator', 'logical', 'driver', 'host', 'RSS'];

/** Null if the cell did not end well. */
export interface Metered {
  readonly policy: string;
  readonly bytesPerParameter: number | null;
  readonly allocatorBytes: number | null;
  readonly logicalBytes: number | null;
  readonly driver: DriverBytes;
  readonly hostBytes: number | null;
  readonly peakRssBytes: number | null;
}

export function metersOf(cell: Metered): string[] {
  const { policy, bytesPerParameter, driver } = cell;
  return [
    policy,
    bytesPerParameterText(bytesPerParameter),
    mebibytes(cell.allocatorBytes),
    mebibytes(cell.logicalBytes),
    driver.peakBytes === null ? '?' : mebibytes(driver.peakBytes),
    mebibytes(cell.hostBytes),
    mebibytes(cell.peakRssBytes),
  ];
}

/** `whenAsked`: the driver, about the process. */
export function metersLegend(cells: readonly Metered[], whenAsked = ''): string[] {
  const sources = new Set(cells.map(({ driver }) => driver.source));
  return [
    'allocator: all buffers on the device, free ones and those for transfers too; B/param is by it.',
    "logical: TensorFlow.js's own count (tf.memory): a clone counts again, pools and staging do not.",
    sources.has('process') || sources.has('gpu')
      ? `driver: nvidia-smi, every 100 ms${whenAsked}${sources.has('gpu') ? '; the rise of the whole GPU where it tells no process' : ''}.`
      : 'driver: unknown here (a GPU with nvidia-smi tells it).',
    'host: slow weights, and moments if they wait there, in host memory that the device can reach. RSS: the whole process.',
  ];
}

export function bytesPerParameterText(value: number | null): string {
  return value === null ? NONE : value.toFixed(2);
}

export function mebibytes(bytes: number | null): string {
  if (bytes === null) return NONE;
  const value = bytes / MIB;
  return value.toFixed(value < 100 ? 2 : 0);
}
