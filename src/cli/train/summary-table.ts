// The result of a run as a table for the terminal.

import type { RunRecord } from '../../records/run-record.js';
import { summarize } from '../../report/summary.js';
import { framed } from '../terminal/table.js';

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
  const rows = summarize(record).flatMap(({ title, rows: ofSection }) => [
    [title.toUpperCase(), ''],
    ...ofSection.map(({ label, value }) => [`  ${label}`, value]),
  ]);
  return framed(rows);
}
