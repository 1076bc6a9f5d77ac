// `slowlane bench`, as a process; and its table.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { FIT_POLICIES } from '#src/measure/workloads/policies.js';
import type { FitRecord } from '#src/cli/bench/fit/record.js';
import { readBenchRecord } from '#src/cli/bench/record.js';
import { FIT } from '#src/cli/bench/fit/benchmark.js';
import { benchText } from '#src/cli/bench/text.js';

import { FIT_CELL, FIT_RECORD } from './records.js';
import { entry } from '../../built.js';
import { hasSwiftShader } from '../../engines/webgpu/swiftshader.js';
import { expectRefusal, slowlane, temporaryFolder } from '../run-cli.js';

const run = (args: string) => slowlane(['bench', ...args.split(' ')]);
const readRecord = (file: string) => readBenchRecord(readFileSync(file, 'utf8')) as FitRecord;

/** Layers of 16 KiB; two steps, the second of which ends with a sync. */
const TINY = '--width 64 --batch 2 --steps 2 --sync-period 2';

test('bench fit --help names every option and every policy', async () => {
  const { code, stdout } = await run('fit --help');
  expect(code).toBe(0);
  expect(stdout).toContain('needs WebGPU: no other engine has a hard budget');
  const flags =
    '--vram --width --batch --steps --sync-period --policy --max-layers --try-timeout --adapter --json';
  for (const flag of flags.split(' ')) expect(stdout).toContain(`  ${flag} `);
  for (const { name } of FIT_POLICIES) expect(stdout).toContain(`\n  ${name} `);
});

describe('a wrong request ends with exit code 2, and says what was received and what is allowed', () => {
  test.concurrent.each([
    ['fot', "'fot'", 'Did you mean fit?'],
    ['fit', '--vram <size>', 'not specified'],
    ['fit --vram 64', "'64'", 'a size with its unit (512MiB'],
    ['fit --vram 64MiB --width 0', "'0'", 'a whole number ≥ 1'],
    ['fit --vram 64MiB --batch 1.5', "'1.5'", 'a whole number ≥ 1'],
    ['fit --vram 64MiB --max-layers 0', "'0'", 'a whole number ≥ 1'],
    ['fit --vram 64MiB --policy adam', "'adam'", 'tfjs-adam, tfjs-adam-lookahead'],
    ['fit --vram 64MiB --json=', "''", 'must not be empty'],
    ['fit --vram 64MiB --steps 4', '--steps 4', 'at least --steps 5'],
    ['fit --vram 1000KiB', '--width 512 (1 MiB)', 'Give more --vram or less --width'],
  ])('slowlane bench %s', async (args, received, allowed) => {
    expectRefusal(await run(args), received, allowed);
  });
});

describe('files', () => {
  test('a file that is not ours is left as it is, before anything is measured', async () => {
    const file = join(temporaryFolder(), 'notes.json');
    writeFileSync(file, '{"mine":true}');
    const { code, stderr } = await run(`fit --vram 64MiB --json ${file}`);
    expect(stderr).toContain('was not written by slowlane');
    expect(stderr).toContain('→ Move it away, or give another file: --json FILE');
    expect(code).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe('{"mine":true}');
  });

  test('show prints the table of a record, and says what is wrong with another file', async () => {
    const file = join(temporaryFolder(), 'fit.json');
    writeFileSync(file, JSON.stringify(FIT_RECORD));
    const { code, stdout } = await run(`show ${file}`);
    expect(stdout).toBe(`${benchText(FIT, FIT_RECORD)}\n`);
    expect(code).toBe(0);
    const other = await run('show package.json');
    expect(other.stderr).toContain('package.json: This is no record of a benchmark');
    expect(other.code).toBe(1);
    const none = await run('show nothing.json');
    expect(none.stderr).toContain("nothing.json can't be read");
    expect(none.code).toBe(1);
  });
});

describe.skipIf(!hasSwiftShader)('on SwiftShader', () => {
  test('finds the largest stacks, and writes them', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'fit.json');
    const policies = '--policy release+device:f32 --policy tfjs-adam-lookahead';
    const { code, stdout, stderr } = await run(
      `fit --vram 512KiB ${TINY} ${policies} --json ${file}`,
    );
    expect(code).toBe(0);
    expect(stderr).toMatch(/\[1\/2\] tfjs-adam-lookahead: 1 layer …[^]*\[2\/2\] release/);
    expect(stdout).toContain('SOFTWARE ADAPTER: bytes are exact, times mean nothing.');

    const record = readRecord(file);
    expect(record).toMatchObject({
      isPartial: false,
      ended: 'done',
      bench: 'fit',
      machine: { adapter: { software: true }, versions: { tfjs: '4.22.0' } },
      options: { vramBytes: 512 * 1024, width: 64, batch: 2, steps: 2, syncPeriod: 2 },
    });
    expect(record.cells.map(({ policy, status }) => [policy, status])).toEqual([
      ['tfjs-adam-lookahead', 'done'],
      ['release+device:f32', 'done'],
    ]);
    for (const cell of record.cells) {
      const { layers, isLargest, parameters, peakBytes, bytesPerParameter, tries } = cell;
      expect(isLargest).toBe(true);
      expect(parameters).toBe(layers * 64 * 64);
      expect(peakBytes).toBeLessThanOrEqual(512 * 1024);
      expect(bytesPerParameter).toBe((peakBytes ?? NaN) / parameters);
      expect(tries.find((one) => one.layers === layers)).toMatchObject({
        outcome: 'fits',
        peakBytes,
      });
      expect(tries.find((one) => one.layers === layers + 1)).toMatchObject({
        outcome: 'over budget',
        reason: expect.stringMatching(/VRAM budget of 512 KiB/) as string,
      });
      expect(cell.losses).toHaveLength(2);
    }
    const [tfjs, ours] = record.cells;
    expect(ours?.layers).toBeGreaterThan(2 * (tfjs?.layers ?? NaN));
    expect(tfjs?.hostBytes).toBe(0);
    // Slow weights are one piece, with a buffer to go up from and one to come down to.
    expect(ours?.hostBytes).toBe(3 * 4 * (ours?.parameters ?? NaN));
    expect(readFileSync(file, 'utf8').replaceAll(folder, '')).not.toContain(entry('.'));
  });

  test('--max-layers is a stop; what fits by then is not called the largest', async () => {
    const { code, stdout } = await run(`fit --vram 8MiB ${TINY} --policy tfjs-adam --max-layers 2`);
    expect(stdout).toMatch(/│ tfjs-adam +│ +≥ 2 │/);
    expect(stdout).toContain('all that --max-layers 2 allows fit');
    expect(code).toBe(0);
  });

  test('Ctrl-C leaves what was measured, marked partial', async () => {
    const file = join(temporaryFolder(), 'fit.json');
    let isStopped = false;
    const { code, stdout } = await slowlane(
      `bench fit --vram 8MiB ${TINY} --max-layers 40 --policy tfjs-adam --policy tfjs-adam-lookahead --json ${file}`.split(
        ' ',
      ),
      {
        onStart: (child) =>
          child.stderr?.on('data', (text: unknown) => {
            if (isStopped || !String(text).includes('4 layers …')) return;
            isStopped = true;
            child.kill('SIGINT');
          }),
      },
    );
    expect(code).toBe(130);
    expect(stdout).toContain('PARTIAL: Stopped with Ctrl-C.');
    const record = readRecord(file);
    expect(record.isPartial).toBe(true);
    expect(record.cells).toHaveLength(1);
    expect(record.cells[0]).toMatchObject({ status: 'stopped', layers: 2, isLargest: false });
  });

  test('a try that fails is shown, is no answer, and makes the exit code 1', async () => {
    const forever = '--vram 8MiB --width 64 --steps 1000000 --policy tfjs-adam --try-timeout 5';
    const { code, stdout } = await run(`fit ${forever}`);
    expect(stdout).toMatch(/│ tfjs-adam +│ +\? │/);
    expect(stdout).toContain('tfjs-adam: timed out with 1 layer: no result after 5 s');
    expect(code).toBe(1);
  });

  test('without an adapter: what to do', async () => {
    const nowhere = join(temporaryFolder(), 'none.json');
    expect(existsSync(nowhere)).toBe(false);
    const { code, stdout, stderr } = await slowlane(['bench', 'fit', '--vram', '64MiB'], {
      env: { VK_DRIVER_FILES: nowhere, VK_ICD_FILENAMES: nowhere },
    });
    expect(stderr).toContain('WebGPU finds no adapter on this machine');
    expect(stderr).toContain('→ Bytes can be counted without a GPU');
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });
});

describe('the table', () => {
  const record: FitRecord = {
    ...FIT_RECORD,
    cells: [
      FIT_CELL,
      { ...FIT_CELL, policy: 'release+device:f32', layers: 1000, parameters: 262_144_000 },
      {
        ...FIT_CELL,
        status: 'failed',
        layers: 0,
        isLargest: false,
        parameters: 0,
        peakBytes: null,
        bytesPerParameter: null,
        failure: { kind: 'crashed', reason: 'signal SIGSEGV' },
      },
    ],
  };

  test.each([40, 80, 160])('%d columns: nothing is wider', (columns) => {
    const lines = benchText(FIT, record, columns).split('\n');
    expect(lines.filter(({ length }) => length > columns)).toEqual([]);
  });

  test('80 columns take the table; 40 take lines', () => {
    expect(benchText(FIT, record, 80)).toMatch(
      /│ tfjs-adam-lookahead │ +3 │ +786k │ +49.3 MiB │  +77.0 % │ +65.69 │ +2 │/,
    );
    expect(benchText(FIT, record, 40)).not.toContain('┌');
    expect(benchText(FIT, record, 40)).toContain('tfjs-adam-lookahead: layers 3');
  });

  test('a failure is below it', () => {
    expect(benchText(FIT, record)).toContain(
      'tfjs-adam-lookahead: crashed with 4 layers: signal SIGSEGV',
    );
  });
});
