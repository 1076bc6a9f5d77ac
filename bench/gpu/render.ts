// Sheets as text: for the terminal, and as Markdown.

import Table from 'cli-table3';

import { cellNamed } from './cells.js';
import type { BenchRecord } from './record.js';
import { headingOf, type Sheet, sheetsOf } from './sheets.js';

/** No lines between rows. */
const NO_INNER_LINES = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' } as const;
const BANNER = '!'.repeat(80);
/** Columns of words; all others are numbers, and go to the right. */
const WORDS = new Set(['', 'cell', 'what', 'how', 'during', 'why', 'answer', 'numbers']);
/** A reason may be long; the JSON file has all of it. */
const WIDEST_COLUMN = 70;

export function textOf(record: BenchRecord): string {
  const { lines, warnings } = headingOf(record);
  const banner = warnings.flatMap((warning) => [BANNER, warning, BANNER]);
  const parts = sheetsOf(record).map((sheet) => [sheet.title, tableOf(sheet), ...sheet.notes]);
  return [...banner, ...lines, ...parts.flatMap((part) => ['', ...part])].join('\n');
}

export function markdownOf(record: BenchRecord): string {
  const { lines, warnings } = headingOf(record);
  const sheets = sheetsOf(record).map((sheet) =>
    [
      `## ${sheet.title}`,
      [
        row(sheet.head),
        row(sheet.head.map((name) => (WORDS.has(name) ? '---' : '---:'))),
        ...sheet.rows.map(row),
      ].join('\n'),
      ...sheet.notes,
    ].join('\n\n'),
  );
  const head = ['# GPU benchmark', ...warnings.map((warning) => `> **${warning}**`), ...lines];
  const legend = record.cells.map(({ name }) => `- ${name}: ${cellNamed(name)?.title ?? ''}`);
  return `${[...head, ...sheets, '## Cells', legend.join('\n')].join('\n\n')}\n`;
}

function tableOf({ head, rows }: Sheet): string {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const table = new Table({
    head: [...head],
    colAligns: head.map((name) => (WORDS.has(name) ? 'left' : 'right')),
    colWidths: widths.map((width) => Math.min(width, WIDEST_COLUMN) + 2), // and a space at each side
    chars: NO_INNER_LINES,
    wordWrap: true,
    style: { head: [], border: [] }, // no colours: the text may go to a file
  });
  table.push(...rows.map((cells) => [...cells]));
  return table.toString();
}

function row(cells: readonly string[]): string {
  const escaped = cells.map((cell) => cell.replaceAll('|', String.raw`\|`).replaceAll('\n', ' '));
  return `| ${escaped.join(' | ')} |`;
}
