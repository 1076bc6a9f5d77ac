// The result of a run as a table for the terminal.

import Table from 'cli-table3';
import type { RunRecord } from '../memory/run-record.js';
import { summarize } from '../memory/summary.js';

/** The frame alone: lines between rows are left out. */
const NO_INNER_LINES = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' } as const;

export function summaryTable(record: RunRecord): string {
  const table = new Table({
    colAligns: ['left', 'right'],
    chars: NO_INNER_LINES,
    style: { head: [], border: [] }, // no colours: the text may go to a file
  });
  for (const { title, rows } of summarize(record)) {
    table.push([title.toUpperCase(), '']);
    for (const { label, value } of rows) table.push([`  ${label}`, value]);
  }
  return table.toString();
}
