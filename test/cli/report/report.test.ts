// `slowlane report` as a process: one page of several records, and what is no record.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { runRecordToJson } from '#src/records/run-record.js';
import { RECORD } from '../../report/records.js';
import { readRecord, slowlane, temporaryFolder } from '../run-cli.js';

test('folders and files, one of them twice, become one page', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'first'));
  writeFileSync(join(folder, 'first', 'run.json'), runRecordToJson(RECORD));
  writeFileSync(join(folder, 'old.json'), runRecordToJson(RECORD));
  const page = join(folder, 'page.html');
  const given = [join(folder, 'first'), join(folder, 'old.json'), join(folder, 'old.json')];
  const { code, stderr, stdout } = await slowlane(['report', ...given, '-o', page]);
  expect(stderr).toBe('');
  expect(stdout).toBe(`Report  ${page}\n`);
  expect(code).toBe(0);
  const html = readFileSync(page, 'utf8');
  expect(html).toContain('<strong>first</strong>');
  expect(html).toContain(`${folder}/old.json (2)</strong>`);
});

test('what is no record, is not there, or is in the way: exit code 1, nothing written', async () => {
  const folder = temporaryFolder();
  const [foreign, page, mine] = ['foreign.json', 'page.html', 'mine.html'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  writeFileSync(foreign, '{"version":1}');
  const refused = await slowlane(['report', foreign, '-o', page]);
  expect(refused.stderr).toContain("foreign.json can't be shown: This is no record of a run");
  expect(refused.code).toBe(1);
  const missing = await slowlane(['report', join(folder, 'none'), '-o', page]);
  expect(missing.stderr).toContain("none can't be shown: it doesn't exist");
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const pipe = await slowlane(['report', join(folder, 'pipe'), '-o', page]);
  expect(pipe.stderr).toContain(
    "pipe can't be shown: it is a pipe or a device, not a regular file",
  );
  expect(pipe.code).toBe(1);
  expect(existsSync(page)).toBe(false);
  writeFileSync(mine, 'mine');
  const record = join(folder, 'run.json');
  writeFileSync(record, runRecordToJson(RECORD));
  const taken = await slowlane(['report', record, '-o', mine]);
  expect(taken.stderr).toContain('was not written by slowlane');
  expect(taken.code).toBe(1);
  expect(readFileSync(mine, 'utf8')).toBe('mine');
  expect((await slowlane(['report'])).code).toBe(2);
});

test('--timeline and --validate-every end up in run.json', async () => {
  const out = temporaryFolder();
  const { code } = await slowlane(
    `train --steps 6 --engine wasm --batch-size 16 --timeline --validate-every 3 --out ${out}`.split(
      ' ',
    ),
  );
  expect(code).toBe(0);
  const record = readRecord(out);
  expect(record.validation.step).toEqual([3, 6]);
  expect(record.validation.slow[1]).toBe(record.evaluations[1]?.loss);
  expect(record.stepTimes.ms).toHaveLength(6);
  expect(record.stepTimes.syncs).toEqual([0, 0, 0, 0, 1, 0]);
  expect(record.timeline?.source).toBe('tensors');
  expect(record.timeline?.steps.step).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(record.timeline?.steps.begin[0]?.at(-1)).toBe(record.memory.weightBytes);
});
