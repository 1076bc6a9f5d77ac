// Text that all benchmarks print: on what, whether it is whole, and tables.

import Table from 'cli-table3';

import type { Failure } from '../bench/failure.js';
import type { BenchRecord } from '../bench/record.js';
import { wrapped } from './wrapped.js';

/** The frame alone: lines between rows are left out. */
const NO_INNER_LINES = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' } as const;

export const NONE = '–';

/** What a reader must not miss, and the adapter with its driver. */
export function headOf({ machine, isPartial, ended }: BenchRecord): string[] {
  const { name, software, driver } = machine.adapter;
  return [
    ...(isPartial ? [`PARTIAL: ${ended}`] : []),
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
    const named = values.map((value, i) => `${head[i + 1]} ${value}`);
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
