// The result of a run as a table for the terminal.

import Table from 'cli-table3';
import type { RunRecord } from '../../records/run-record.js';
import { summarize } from '../../report/summary.js';

/** The frame alone: lines between rows are left out. */
const NO_INNER_LINES = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' } as const;

/** A table, or plain lines where a terminal has too few `columns` for it. */
export function summaryText(record: RunRecord, columns = Infinity): string {
  const table = summaryTable(record);
  return table.indexOf('\n') <= columns ? table : summaryLines(record);
}

function summaryLines(record: RunRecord): string {
  return summarize(record)
    .flatMap(({ rows }) => rows.map(({ label, value }) => `${label}: ${value}`))
    .join('\n');
}

function summaryTable(record: RunRecord): string {
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
