// What `bench memory` has counted, for the terminal: meters apart, and what the bytes were for.

import type { MemoryCell, MemoryRecord } from './memory-record.js';
import { mebibytes, metersHead, metersLegend, metersOf } from '../meters-text.js';
import { failuresOf, headOf, workloadOf } from '../table.js';
import { tableText } from '../../terminal/table.js';
import { wrapped } from '../../terminal/wrapped.js';

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
    ...tableText(metersHead(record.options), cells.map(metersOf), columns),
    ...text(metersLegend(record)),
    ...(known.length === 0
      ? []
      : text(['', 'The most for each purpose, each at a time of its own, in MiB:'])),
    ...tableText(['policy', ...Object.values(CATEGORIES)], known.map(categoriesOf), columns),
    ...text(failuresOf(cells.map(({ policy, failure }) => ({ name: policy, failure })))),
  ].join('\n');
}

function whatOf(record: MemoryRecord): string {
  const { steps, syncPeriod } = record.options;
  return `${workloadOf(record)}, ${steps} steps of Adam, Lookahead with a sync every ${syncPeriod} steps.`;
}

function categoriesOf({ policy, highest }: MemoryCell): string[] {
  const names = Object.keys(CATEGORIES) as (keyof typeof CATEGORIES)[];
  return [policy, ...names.map((name) => mebibytes(highest?.[name] ?? null))];
}
