// A terminal obeys control characters, and records are files from anywhere.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { printable } from '#src/cli/terminal/print.js';
import { entry } from '../../built.js';
import { slowlane, temporaryFolder } from '../run-cli.js';

test('control characters are written out, lines and letters of any language stay', () => {
  expect(printable('\u001B[2J\u001B]0;x\u0007\r\u009B1m\u007F\u202Eabc')).toBe(
    '\\u001b[2J\\u001b]0;x\\u0007\\u000d\\u009b1m\\u007f\\u202eabc',
  );
  const text = 'a\tb\nç – 慢 ✗ 🙂';
  expect(printable(text)).toBe(text);
});

test('a record with terminal sequences: bench show prints none of them, and no error does', async () => {
  const record = JSON.parse(readFileSync(entry('bench/results/memory-cpu.json'), 'utf8')) as Record<
    string,
    Record<string, unknown>
  >;
  record['machine']!['cpu'] = '\u001B[2J\u001B]0;pwned\u0007';
  const path = join(temporaryFolder(), 'record.json');
  writeFileSync(path, JSON.stringify(record));
  const { stdout, code } = await slowlane(['bench', 'show', path]);
  expect(code).toBe(0);
  expect(stdout).toContain('\\u001b[2J\\u001b]0;pwned\\u0007');
  expect(stdout).not.toContain('\u001B');
  writeFileSync(path, JSON.stringify({ ...record, schemaVersion: '\u001B[2J' }));
  const { stderr } = await slowlane(['bench', 'show', path]);
  expect(stderr).toContain('slowlane: ');
  expect(stderr).not.toContain('\u001B');
});

test('the command line prints through print() and say() alone', () => {
  const folder = entry('src/cli');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const printing = files.filter(
    (file) =>
      file.endsWith('.ts') &&
      /console\.|process\.std(out|err)\.write/.test(readFileSync(join(folder, file), 'utf8')),
  );
  expect(printing).toEqual([join('terminal', 'print.ts')]);
});
