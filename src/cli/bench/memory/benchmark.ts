// `slowlane bench memory`: what training takes at most, by meters that are kept apart, and what the bytes are for.

import { CATEGORIES } from '../../../engine/categories.js';
import { perParameter } from '../../../measure/meters/meters.js';
import { cellBenchmark } from '../cell-benchmark.js';
import { mebibytes, metersSheet } from '../meters-text.js';
import { type Column, sheetOf, workloadOf } from '../sheet.js';
import { MEMORY_CELL, type MemoryCell, type MemoryOptions } from './record.js';

/** Short, for 80 columns. */
const SHORT: Partial<Record<(typeof CATEGORIES)[number], string>> = {
  gradients: 'grads',
  activations: 'activ.',
};

export const MEMORY = cellBenchmark<'memory', 'policy', MemoryOptions, MemoryCell>({
  name: 'memory',
  key: 'policy',
  schema: MEMORY_CELL,
  namesOf: ({ policies }) => policies,
  requestOf: (options, policy) => ({ ...options, policy }),
  askDriverUntil: null,
  derive: perParameter,
  wordsOf: ({ allocatorBytesPerParameter, logicalBytesPerParameter }) =>
    allocatorBytesPerParameter === null
      ? `${logicalBytesPerParameter?.toFixed(2)} B a parameter by the logical count`
      : `${allocatorBytesPerParameter.toFixed(2)} B a parameter`,
  title(record) {
    const { steps, syncPeriod } = record.options;
    return `${workloadOf(record)}, ${steps} steps of Adam, Lookahead with a sync every ${syncPeriod} steps.`;
  },
  sheets: (record) => [
    metersSheet('At most, in MiB, by each meter:', record),
    sheetOf(
      'The most for each purpose, each at a time of its own, in MiB:',
      record.cells.filter(({ highest }) => highest !== null),
      [
        ['policy', ({ policy }) => policy],
        ...CATEGORIES.map((name): Column<MemoryCell> => [
          SHORT[name] ?? name,
          ({ highest }) => mebibytes(highest?.[name] ?? null),
        ]),
      ],
    ),
  ],
});
