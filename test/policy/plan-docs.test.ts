// The tables of docs/planning.md are what the planner says. After a change of it:
//   UPDATE_DOCS=1 npx vitest run test/policy/plan-docs.test.ts

import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { entry } from '../built.js';
import { cardTable, slowTable } from './card-table.js';

const PAGE = entry('docs/planning.md');

test.each([
  ['cards', cardTable],
  ['slow', slowTable],
])('the table of %s is up to date', (name, table) => {
  const page = readFileSync(PAGE, 'utf8');
  const begin = `<!-- plan:begin ${name} -->`;
  const end = '<!-- plan:end -->';
  const [before, rest] = page.split(begin);
  const [, ...after] = rest?.split(end) ?? [];
  expect(after.length, `the markers of ${name}`).toBeGreaterThan(0);
  const expected = `${before}${begin}\n\n${table()}\n\n${[end, ''].join('')}${after.join(end)}`;
  if (process.env['UPDATE_DOCS'] !== undefined) writeFileSync(PAGE, expected);
  else expect(page).toBe(expected);
});
