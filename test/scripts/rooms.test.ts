// The table of rooms in CONTRIBUTING.md is the list that the layer rule is made from.

import { test } from 'vitest';

import { entry } from '../built.js';
import { expectTable } from '../marked-table.js';

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
  const all = [['room', 'what it holds', 'runs'], ...rows];
  const widths = [0, 1, 2].map((at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = all;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  expectTable('CONTRIBUTING.md', 'rooms', [line(head), rule, ...body.map(line)].join('\n'));
});
