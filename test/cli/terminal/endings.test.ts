// How a run ends when its surroundings go away: signals, readers, terminals.

import type { ChildProcess } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { summaryText } from '#src/cli/train/summary-table.js';
import { summarize } from '#src/report/summary.js';
import { moduleAt } from '../../built.js';
import { RECORD } from '../../report/records.js';
import { evaluated, readRecord, slowlane, temporaryFolder } from '../run-cli.js';

const SHORT = 'train --steps 3 --engine wasm --batch-size 16 --out ';

const stopAtFirstStep =
  (signal: NodeJS.Signals) =>
  (child: ChildProcess): void =>
    void child.stderr?.on('data', (text: unknown) => {
      if (String(text).includes('step 1/')) child.kill(signal);
    });

describe('a signal ends a run with its own exit code and a partial record', () => {
  test.each([
    ['SIGINT', 130, 'Stopped with Ctrl-C.'],
    ['SIGTERM', 143, 'Stopped by SIGTERM.'],
    ['SIGHUP', 129, 'Stopped by SIGHUP: the terminal was closed.'],
  ] as const)('%s: %d', async (signal, exitCode, reason) => {
    const out = temporaryFolder();
    const { code, stdout, stderr } = await slowlane(
      `train --steps 100000 --engine wasm --out ${out}`.split(' '),
      { onStart: stopAtFirstStep(signal) },
    );
    expect(stderr).toContain(`slowlane: ${reason}`);
    expect(stdout).toContain('Partial record after');
    expect(code).toBe(exitCode);
    const record = readRecord(out);
    expect(record.partial).toBe(true);
    expect(record.ended).toBe(reason);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('Partial run');
  });
});

describe('a reader that goes away', () => {
  test('of stdout leaves the run and its record whole', async () => {
    const out = temporaryFolder();
    const { code, stderr } = await slowlane(`${SHORT}${out}`.split(' '), {
      onStart: (child) => child.stdout?.destroy(),
    });
    expect(stderr).toContain('step 3/3');
    expect(stderr).not.toMatch(/^ +at |EPIPE/m);
    expect(code).toBe(0);
    expect(readRecord(out).partial).toBe(false);
  });

  test('of both streams, too', async () => {
    const out = temporaryFolder();
    const { code } = await slowlane(`${SHORT}${out}`.split(' '), {
      onStart: (child) => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      },
    });
    expect(code).toBe(0);
    expect(readRecord(out).partial).toBe(false);
  });

  test('of --help ends it quietly', async () => {
    const { code, stderr } = await slowlane(['train', '--help'], {
      onStart: (child) => child.stdout?.destroy(),
    });
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test.skipIf(!existsSync('/dev/full'))(
    'because the disk is full leaves the record, and exit code 1 with one line',
    async () => {
      const out = temporaryFolder();
      const { code, stderr } = await slowlane(`${SHORT}${out}`.split(' '), {
        stdout: openSync('/dev/full', 'w'),
      });
      expect(stderr).toMatch(/^slowlane: stdout: ENOSPC/m);
      expect(stderr).not.toMatch(/^ +at /m);
      expect(code).toBe(1);
      expect(readRecord(out).partial).toBe(false);
    },
  );
});

describe('a terminal', () => {
  const RESTORED = '\u001B[?25h\u001B[?7h';
  const withBar = (then: string): string =>
    `const { startProgress } = await import(${JSON.stringify(moduleAt('src/cli/train/progress.js'))});
    process.stderr.isTTY = true;
    const controller = new AbortController();
    const progress = startProgress(10, process.stderr, controller.signal);
    ${then}`;

  test('has its cursor back when the process exits under a bar', async () => {
    const { code, stderr } = await evaluated(withBar('process.exit(3);'));
    expect(code).toBe(3);
    expect(stderr).toContain('\u001B[?25l');
    expect(stderr.endsWith(RESTORED)).toBe(true);
  });

  test('has it back as soon as the run is asked to end', async () => {
    const { stderr } = await evaluated(
      withBar("controller.abort(); process.kill(process.pid, 'SIGKILL');"),
    );
    expect(stderr.endsWith(RESTORED)).toBe(true);
  });

  test('narrower than the table gets the same rows as plain lines', () => {
    const table = summaryText(RECORD);
    const width = table.indexOf('\n');
    expect(summaryText(RECORD, width)).toBe(table);
    const rows = summarize(RECORD).flatMap((group) => group.rows);
    expect(summaryText(RECORD, width - 1).split('\n')).toEqual(
      rows.map(({ label, value }) => `${label}: ${value}`),
    );
  });
});
