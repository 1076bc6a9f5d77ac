// The tables of docs/planning.md are what the planner says.

import { test } from 'vitest';

import { expectTable } from '../marked-table.js';
import { cardTable, slowTable } from './card-table.js';

test.each([
  ['cards', cardTable],
  ['slow', slowTable],
])('the table of %s is up to date', (name, table) => {
  expectTable('docs/planning.md', name, table());
});
