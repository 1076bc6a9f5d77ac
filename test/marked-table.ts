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
