// A folder of runs one after the other: one that goes on, one that was killed, one that takes over.

import { type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { readRecord, slowlane, temporaryFolder } from '../run-cli.js';

test("a run's record is there from its start, nobody else writes beside it, and killed it is drawn so", async () => {
  const out = temporaryFolder();
  const trains = (seed: number, steps: number) =>
    `train --engine wasm --batch-size 16 --seed ${seed} --steps ${steps} --out ${out}`.split(' ');
  expect((await slowlane(trains(1, 2))).code).toBe(0);

  let child: ChildProcess | undefined;
  const ended = slowlane(trains(2, 1_000_000), { onStart: (started) => (child = started) });
  await expect
    .poll(() => readRecord(out), { timeout: 60_000 })
    .toMatchObject({ seed: 2, ended: 'running', partial: true });
  await expect // the page follows its record
    .poll(() => readFileSync(join(out, 'report.html'), 'utf8'), { timeout: 60_000 })
    .toContain('It had not ended when');

  const second = await slowlane(trains(3, 2));
  expect(second.stderr).toContain(`${out} belongs to another run`);
  expect(second.stderr).toContain(`(process ${child?.pid})`);
  expect(second.stderr).toContain('→ Give another folder: --out DIR');
  expect(second.code).toBe(1);

  const page = join(out, 'page.html');
  await slowlane(['report', out, '-o', page]);
  expect(readFileSync(page, 'utf8')).toContain('It had not ended when this page was made.');
  child?.kill('SIGKILL');
  await ended;
  await slowlane(['report', out, '-o', page]);
  expect(readFileSync(page, 'utf8')).toContain('Interrupted: its process ended without');

  expect((await slowlane(trains(4, 2))).code).toBe(0);
  expect(readRecord(out)).toMatchObject({ seed: 4, ended: 'done', partial: false });
  expect(readdirSync(out).toSorted()).toEqual(['page.html', 'report.html', 'run.json']);
});
