// A table in a page of the docs that is made from something else, between two markers. After a change of that:
//   UPDATE_DOCS=1 npx vitest run TEST

import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';

import { entry } from './built.js';

/** The page has `<!-- table:begin NAME -->` and `<!-- table:end -->`; between them has to be `table`. */
export function expectTable(page: string, name: string, table: string): void {
  const file = entry(page);
  const text = readFileSync(file, 'utf8');
  const begin = `<!-- table:begin ${name} -->`;
  const end = '<!-- table:end -->';
  const [before, rest] = text.split(begin);
  const [, ...after] = rest?.split(end) ?? [];
  expect(after.length, `the markers of ${name} in ${page}`).toBeGreaterThan(0);
  const expected = `${before}${begin}\n\n${table}\n\n${end}${after.join(end)}`;
  if (process.env['UPDATE_DOCS'] !== undefined) writeFileSync(file, expected);
  else expect(text).toBe(expected);
}

/**
 * As oxfmt formats it. Columns from `numbersFrom` on are aligned to the right.
 * @param rows The first is the head.
 */
export function markdownTable(
  rows: readonly (readonly (string | undefined)[])[],
  { numbersFrom = Infinity } = {},
): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`;
  const [head, ...body] = rows.map((row) =>
    line(
      widths.map((width, i) => {
        const cell = row[i] ?? '';
        return i < numbersFrom ? cell.padEnd(width) : cell.padStart(width);
      }),
    ),
  );
  const rule = widths.map((width, i) =>
    i < numbersFrom ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [head, line(rule), ...body].join('\n');
}
