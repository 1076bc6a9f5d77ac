// The table of rooms in CONTRIBUTING.md is the list that the layer rule is made from.

import { test } from 'vitest';

import { entry } from '../built.js';
import { expectTable, markdownTable } from '../marked-table.js';

interface Room {
  readonly room: string;
  readonly what: string;
  readonly runs: 'anywhere' | 'node';
}

test('CONTRIBUTING.md lists the rooms in the order of the layer rule', async () => {
  const { ROOMS } = (await import(/* @vite-ignore */ entry('scripts/rooms.mjs'))) as {
    ROOMS: readonly Room[];
  };
  const rows = ROOMS.map(({ room, what, runs }) => [
    `\`src/${room}/\``,
    what,
    runs === 'anywhere' ? 'anywhere' : 'Node',
  ]);
  const table = markdownTable([['room', 'what it holds', 'runs'], ...rows]);
  expectTable('CONTRIBUTING.md', 'rooms', table);
});
