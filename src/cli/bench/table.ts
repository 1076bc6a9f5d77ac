// Text that all benchmarks print: on what, whether it is whole, and tables.

import Table from 'cli-table3';

import type { CellOptions } from '../../measure/cell-options.js';
import type { Failure } from '../../measure/failure.js';
import type { BenchRecord } from '../../measure/record.js';
import { formatCount } from '../../checks/quantities.js';
import { wrapped } from '../terminal/wrapped.js';

/** The frame alone: lines between rows are left out. */
const NO_INNER_LINES = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' } as const;

export const NONE = '–';

/** What a reader must not miss, and what it was measured on: the adapter with its driver, or another engine. */
export function headOf({ machine, isPartial, ended }: BenchRecord): string[] {
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

/** Why rows have no numbers. */
export function failuresOf(
  rows: readonly { readonly name: string; readonly failure: Failure | null }[],
): string[] {
  return rows.flatMap(({ name, failure }) =>
    failure === null ? [] : [`${name}: ${failure.kind}: ${failure.reason}`],
  );
}

interface Measured {
  readonly options: Pick<CellOptions, 'model' | 'layers' | 'width' | 'batch'>;
  readonly cells: readonly { readonly parameters: number | null }[];
}

/** What was trained, as the beginning of a sentence. */
export function workloadOf({ options, cells }: Measured): string {
  const { model, layers, width, batch } = options;
  const name = model === 'stack' ? `${layers} dense layers of ${width}×${width}` : model;
  const parameters = cells.find((cell) => cell.parameters !== null)?.parameters ?? null;
  const size = parameters === null ? '' : ` (${formatCount(parameters)} parameters)`;
  return `${name}${size}, batch ${batch}`;
}

/** The first column is words. Plain lines where a terminal has too few `columns` for a table. */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
): string[] {
  if (rows.length === 0) return [];
  const table = tableOf(head, rows);
  if (table.indexOf('\n') <= columns) return [table];
  return rows.map(([first = '', ...values]) => {
    const named = values.map((value, i) => `${head[i + 1]?.replace('\n', ' ')} ${value}`);
    return wrapped([`${first}:`, ...named].join(' '), columns);
  });
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
    chars: NO_INNER_LINES,
    style: { head: [], border: [] }, // no colours: the text may go to a file
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}
