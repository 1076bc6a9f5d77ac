// Tables of a record, and the words in them.

import type { CellOptions, Spread } from '../../measure/record-parts.js';
import { formatCount } from '../../checks/quantities.js';

export const NONE = '–';

/** The first column is words, the others are numbers. */
export type Column<Row> = readonly [head: string, text: (row: Row) => string];

/** A table with what its columns are. One without rows is left out. */
export interface Sheet {
  readonly title: string | null;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly legend: readonly string[];
}

export function sheetOf<Row>(
  title: string | null,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  legend: readonly string[] = [],
): Sheet {
  return {
    title,
    head: columns.map(([head]) => head),
    rows: rows.map((row) => columns.map(([, text]) => text(row))),
    legend,
  };
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

/** Milliseconds. */
export function msText(value: number | undefined): string {
  if (value === undefined) return NONE;
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** p50 under `head`, p95 and the highest. */
export function spreadColumns<Row>(head: string, of: (row: Row) => Spread | null): Column<Row>[] {
  return [
    [head, (row) => msText(of(row)?.median)],
    ['p95', (row) => msText(of(row)?.p95)],
    ['max', (row) => msText(of(row)?.max)],
  ];
}
