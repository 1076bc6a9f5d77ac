// What `bench memory` has counted, for the terminal: meters apart, and what the bytes were for.

import type { MemoryCell, MemoryOptions, MemoryRecord } from '../bench/memory/memory-record.js';
import { headOf, NONE, tableText, workloadOf } from './bench-table.js';
import { wrapped } from './wrapped.js';

const MIB = 2 ** 20;
const METERS = ['allocator', 'logical', 'driver', 'host', 'RSS'];
/** Short, for 80 columns. */
const CATEGORIES = {
  weights: 'weights',
  gradients: 'grads',
  moments: 'moments',
  staging: 'staging',
  activations: 'activ.',
  pool: 'pool',
} as const;

/** Tables, or plain lines where a terminal has too few `columns` for them. */
export function memoryText(record: MemoryRecord, columns = Infinity): string {
  const { cells } = record;
  const known = cells.filter(({ highest }) => highest !== null);
  const text = (lines: readonly string[]) => lines.map((line) => wrapped(line, columns));
  return [
    ...text([...headOf(record), whatOf(record), '', 'At most, in MiB, by each meter:']),
    ...tableText(metersHead(record), cells.map(metersOf), columns),
    ...text(legendOf(record)),
    ...(known.length === 0
      ? []
      : text(['', 'The most for each purpose, each at a time of its own, in MiB:'])),
    ...tableText(['policy', ...Object.values(CATEGORIES)], known.map(categoriesOf), columns),
    ...text(failuresOf(record)),
  ].join('\n');
}

function whatOf(record: MemoryRecord): string {
  const { steps, syncPeriod } = record.options;
  return `${workloadOf(record)}, ${steps} steps of Adam, Lookahead with a sync every ${syncPeriod} steps.`;
}

/** Bytes a parameter never without the meter that they are by: the allocator, where there is one to count. */
function metersHead({ options }: MemoryRecord): string[] {
  return ['policy', `${hasAllocator(options) ? 'alloc.' : 'logical'}\nB/param`, ...METERS];
}

function hasAllocator({ engine }: MemoryOptions): boolean {
  return engine === 'webgpu';
}

function metersOf(cell: MemoryCell): string[] {
  const { policy, driver } = cell;
  const bytesPerParameter = cell.allocatorBytesPerParameter ?? cell.logicalBytesPerParameter;
  return [
    policy,
    bytesPerParameter === null ? NONE : bytesPerParameter.toFixed(2),
    mebibytes(cell.allocatorBytes),
    mebibytes(cell.logicalBytes),
    driver.peakBytes === null ? '?' : mebibytes(driver.peakBytes),
    mebibytes(cell.hostBytes),
    mebibytes(cell.peakRssBytes),
  ];
}

function categoriesOf({ policy, highest }: MemoryCell): string[] {
  const names = Object.keys(CATEGORIES) as (keyof typeof CATEGORIES)[];
  return [policy, ...names.map((name) => mebibytes(highest?.[name] ?? null))];
}

function legendOf({ cells, options }: MemoryRecord): string[] {
  const sources = new Set(cells.map(({ driver }) => driver.source));
  return [
    hasAllocator(options)
      ? 'allocator: all buffers on the device, free ones and those for transfers too; B/param is by it.'
      : `allocator: nothing tells of it on ${options.engine}; B/param is by the logical count, and compares with no allocator's.`,
    "logical: TensorFlow.js's own count (tf.memory): a clone counts again, pools and staging do not.",
    sources.has('process') || sources.has('gpu')
      ? `driver: nvidia-smi, every 100 ms${sources.has('gpu') ? '; the rise of the whole GPU where it tells no process' : ''}.`
      : 'driver: unknown here (a GPU with nvidia-smi tells it).',
    hasAllocator(options)
      ? 'host: slow weights, and moments if they wait there, in host memory that the device can reach.'
      : "host: slow weights of slowlane's Lookahead, and what its syncs stage, in no other count.",
    'RSS: the whole process.',
  ];
}

function failuresOf({ cells }: MemoryRecord): string[] {
  return cells.flatMap(({ policy, failure }) =>
    failure === null ? [] : [`${policy}: ${failure.kind}: ${failure.reason}`],
  );
}

function mebibytes(bytes: number | null): string {
  if (bytes === null) return NONE;
  const value = bytes / MIB;
  return value.toFixed(value < 100 ? 2 : 0);
}
