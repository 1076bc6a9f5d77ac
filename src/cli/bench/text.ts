// The text of a record for the terminal: what it was measured on, what was measured, and tables.

import { tableText, wrapped } from '../terminal/table.js';
import type { Benchmark } from './benchmark.js';
import type { BenchName, BenchRecord } from './frame.js';

/** Tables, or plain lines where a terminal has too few `columns` for them. */
export function benchText<Name extends BenchName, Options, Cell>(
  bench: Benchmark<Name, Options, Cell>,
  record: BenchRecord<Name, Options, Cell>,
  columns = Infinity,
): string {
  const text = (lines: readonly string[]) => lines.map((line) => wrapped(line, columns));
  const sheets = bench.sheets(record).filter(({ rows }) => rows.length > 0);
  return [
    ...text([...headOf(record), bench.title(record)]),
    ...sheets.flatMap(({ title, head, rows, legend }) => [
      '',
      ...text(title === null ? [] : [title]),
      ...tableText(head, rows, columns),
      ...text(legend),
    ]),
    ...text(bench.notes(record)),
  ].join('\n');
}

/** What a reader must not miss, and what it was measured on: the adapter with its driver, or another engine. */
export function headOf({
  machine,
  isPartial,
  ended,
}: Pick<BenchRecord, 'machine' | 'isPartial' | 'ended'>): string[] {
  const partial = isPartial ? [`PARTIAL: ${ended}`] : [];
  if (machine.adapter === null) return [...partial, `${machine.engine}; ${machine.cpu}`];
  const { name, software, driver } = machine.adapter;
  return [
    ...partial,
    ...(software ? ['SOFTWARE ADAPTER: bytes are exact, times mean nothing.'] : []),
    // The name ends with the driver.
    name.includes(driver) ? name : `${name}, ${driver}`,
  ];
}
