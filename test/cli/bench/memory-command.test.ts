// `slowlane bench memory`, as a process; and its tables.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import type { MemoryCell, MemoryRecord } from '#src/cli/bench/memory/record.js';
import { ALL_POLICIES } from '#src/measure/workloads/policies.js';
import { readBenchRecord } from '#src/cli/bench/record.js';
import { MEMORY } from '#src/cli/bench/memory/benchmark.js';
import { benchText } from '#src/cli/bench/text.js';

import { MEMORY_CELL, MEMORY_RECORD, WASM_RECORD } from './records.js';
import { entry } from '../../built.js';
import { hasSwiftShader } from '../../engines/webgpu/swiftshader.js';
import { expectRefusal, slowlane, temporaryFolder } from '../run-cli.js';

const run = (args: string) => slowlane(['bench', ...args.split(' ')]);
const readRecord = (file: string) => readBenchRecord(readFileSync(file, 'utf8')) as MemoryRecord;

/** Layers of 16 KiB; two steps, the second of which ends with a sync. */
const TINY = '--layers 2 --width 64 --batch 2 --steps 2 --sync-period 2';
const WEIGHT_BYTES = 2 * 4 * 64 * 64;

test('--help names every option and every policy', async () => {
  const { code, stdout } = await run('memory --help');
  expect(code).toBe(0);
  const flags =
    '--engine --model --layers --width --batch --steps --sync-period --policy --cell-timeout --adapter --json';
  for (const flag of flags.split(' ')) expect(stdout).toContain(`  ${flag} `);
  for (const { name } of ALL_POLICIES) expect(stdout).toContain(`\n  ${name} `);
});

describe('a wrong request ends with exit code 2, and says what was received and what is allowed', () => {
  test.concurrent.each([
    ['memory --layers 0', "'0'", 'a whole number ≥ 1'],
    ['memory --width 1e9', "'1e9'", '≤ 65536'],
    ['memory --policy adam', "'adam'", 'tfjs-adam, tfjs-adam-lookahead, keep-adam'],
    ['memory --steps 4', '--steps 4', 'at least --steps 5'],
    ['memory --adapter=', "''", 'must not be empty'],
    ['memory --vram 64MiB', '--vram', 'unknown option'],
    ['memory --engine auto', "'auto'", 'webgpu, wasm, cpu, tensorflow'],
    ['memory --engine wasm --adapter nvidia', '--adapter nvidia', 'use --engine webgpu'],
    ['memory --model mlp --layers 2 --width 8', '--layers and --width', 'use --model stack'],
    ['memory --engine cpu --policy keep+host:q8', 'keep+host:q8', 'device:q8 is the same'],
    ['memory --engine tensorflow --policy keep+host:f32', 'need WebGPU', 'Its policies: tfjs-adam'],
  ])('slowlane bench %s', async (args, received, allowed) => {
    expectRefusal(await run(args), received, allowed);
  });
});

test('show prints the tables of a record', async () => {
  const file = join(temporaryFolder(), 'memory.json');
  writeFileSync(file, JSON.stringify(MEMORY_RECORD));
  const { code, stdout } = await run(`show ${file}`);
  expect(stdout).toBe(`${benchText(MEMORY, MEMORY_RECORD)}\n`);
  expect(code).toBe(0);
});

test('without WebGPU: what nothing counts is null, and bytes per parameter are the logical ones', async () => {
  const file = join(temporaryFolder(), 'memory.json');
  const policies = '--policy tfjs-adam --policy keep+device:f32';
  const { code, stdout } = await run(`memory --engine wasm ${TINY} ${policies} --json ${file}`);
  expect(code).toBe(0);
  const { machine, options, cells } = readRecord(file);
  expect(machine).toMatchObject({ adapter: null, nvidia: null });
  expect(machine.engine).toMatch(/^wasm \((no )?SIMD, \d+ threads?\)$/);
  expect(options).toMatchObject({ engine: 'wasm', model: 'stack', adapter: null });
  expect(stdout.split('\n')[0]).toBe(`${machine.engine}; ${machine.cpu}`);
  expect(stdout).toContain("not available on wasm. B/param uses tfjs's own count");
  for (const cell of cells) {
    expect(cell).toMatchObject({
      status: 'done',
      allocatorBytes: null,
      allocatorBytesPerParameter: null,
      atPeak: null,
      highest: null,
      driver: { source: 'unknown' },
    });
    expect(cell.logicalBytesPerParameter).toBe((cell.logicalBytes ?? NaN) / (WEIGHT_BYTES / 4));
    expect(cell.logicalBytesPerParameter).toBeGreaterThan(12); // weights and two moments
    expect(stdout).toMatch(
      new RegExp(
        `│ ${cell.policy.replace('+', '\\+')} +│ +${cell.logicalBytesPerParameter?.toFixed(2)} │ +– │`,
      ),
    );
  }
  // Slow weights, and places for chunks of them.
  expect(cells[0]?.hostBytes).toBe(0);
  expect(cells[1]?.hostBytes).toBeGreaterThan(WEIGHT_BYTES);
  expect(cells[1]?.hostBytes).toBeLessThan(3 * WEIGHT_BYTES);
});

test('an engine that cannot be started: why, and what else there is', async () => {
  const { code, stdout, stderr } = await slowlane(['bench', 'memory', '--engine', 'tensorflow'], {
    env: { SLOWLANE_TENSORFLOW: 'nowhere' },
  });
  expect(stderr).toContain("TensorFlow can't be used: there is no package in");
  expect(stderr).toContain('→ Or use another engine: --engine cpu');
  expect(stdout).toBe('');
  expect(code).toBe(1);
});

describe.skipIf(!hasSwiftShader)('on SwiftShader', () => {
  test('counts each policy by each meter, and writes it', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'memory.json');
    const names = ['tfjs-adam-lookahead', 'keep-adam', 'keep+device:f32', 'keep+host:f32'];
    const policies = names.map((name) => `--policy ${name}`).join(' ');
    const { code, stdout, stderr } = await run(`memory ${TINY} ${policies} --json ${file}`);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /\[1\/4\] tfjs-adam-lookahead …\n[^]*\[4\/4\] keep\+host:f32 … \(about /,
    );
    expect(stdout).toContain('SOFTWARE ADAPTER: bytes are exact, times mean nothing.');

    const record = readRecord(file);
    expect(record).toMatchObject({ isPartial: false, ended: 'done', bench: 'memory' });
    expect(record.cells.map(({ policy, status }) => [policy, status])).toEqual(
      names.map((name) => [name, 'done']),
    );
    for (const cell of record.cells) {
      expect(cell.parameters).toBe(WEIGHT_BYTES / 4);
      const { allocatorBytes, logicalBytes, parameters } = cell;
      expect(cell.allocatorBytesPerParameter).toBe((allocatorBytes ?? NaN) / (parameters ?? NaN));
      expect(cell.logicalBytesPerParameter).toBe((logicalBytes ?? NaN) / (parameters ?? NaN));
      expect(cell.losses).toHaveLength(2);
      expect(cell.logicalBytes).toBeGreaterThan(WEIGHT_BYTES);
      expect(cell.peakRssBytes).toBeGreaterThan(2 ** 20);
      expect(cell.driver.source).toBe('unknown'); // of a software adapter no driver is asked
    }
    const [tfjs, alone, onDevice, onHost] = record.cells as [
      MemoryCell,
      MemoryCell,
      MemoryCell,
      MemoryCell,
    ];
    expect([tfjs.atPeak, tfjs.highest, tfjs.hostBytes]).toEqual([null, null, 0]);
    for (const { atPeak, allocatorBytes, highest } of [alone, onDevice, onHost]) {
      const sum = Object.values(atPeak ?? {}).reduce((all, bytes) => all + bytes, 0);
      expect(sum).toBe(allocatorBytes);
      expect(highest?.weights).toBe(WEIGHT_BYTES);
      expect(highest?.gradients).toBeGreaterThanOrEqual(WEIGHT_BYTES);
    }
    // m and v: on the device, or on the host beside slow weights (up and down).
    expect(onDevice.highest?.moments).toBe(2 * WEIGHT_BYTES);
    expect([alone.hostBytes, onDevice.hostBytes]).toEqual([0, 3 * WEIGHT_BYTES]); // one piece, up and down
    expect(onHost.hostBytes).toBeGreaterThanOrEqual(4 * WEIGHT_BYTES);
    expect(readFileSync(file, 'utf8').replaceAll(folder, '')).not.toContain(entry('.'));
  });

  test('a model of the command line', async () => {
    const file = join(temporaryFolder(), 'memory.json');
    const steps = '--batch 2 --steps 2 --sync-period 2';
    const { code, stdout } = await run(
      `memory --model mlp ${steps} --policy release+device:f32 --json ${file}`,
    );
    expect(code).toBe(0);
    expect(stdout).toContain('mlp (109,386 parameters), batch 2, 2 steps of Adam');
    const { options, cells } = readRecord(file);
    expect(options).toMatchObject({ engine: 'webgpu', model: 'mlp', layers: null, width: null });
    const parameters = 784 * 128 + 128 + (128 * 64 + 64) + (64 * 10 + 10);
    expect(cells[0]).toMatchObject({
      parameters,
      highest: { weights: 4 * parameters, moments: 8 * parameters },
    });
  });

  test('Ctrl-C leaves what was measured, marked partial', async () => {
    const file = join(temporaryFolder(), 'memory.json');
    const args = `bench memory ${TINY} --policy tfjs-adam --policy keep-adam --json ${file}`;
    let isStopped = false;
    const { code, stdout } = await slowlane(args.split(' '), {
      onStart: (child) =>
        child.stderr?.on('data', (text: unknown) => {
          if (isStopped || !String(text).includes('[2/2]')) return;
          isStopped = true;
          child.kill('SIGINT');
        }),
    });
    expect(code).toBe(130);
    expect(stdout).toContain('PARTIAL: Stopped with Ctrl-C.');
    const record = readRecord(file);
    expect(record.isPartial).toBe(true);
    expect(record.cells.map(({ status }) => status)).toEqual(['done', 'stopped']);
  });

  test('a policy that fails is shown, the others are measured, and the exit code is 1', async () => {
    const forever = '--layers 1 --width 64 --steps 1000000 --policy tfjs-adam --cell-timeout 5';
    const { code, stdout } = await run(`memory ${forever}`);
    expect(stdout).toMatch(/│ tfjs-adam +│ +– │/);
    expect(stdout).toContain('tfjs-adam: timed out: no result after 5 s');
    expect(code).toBe(1);
  });
});

describe('the tables', () => {
  const record: MemoryRecord = {
    ...MEMORY_RECORD,
    cells: [
      MEMORY_CELL,
      { ...MEMORY_CELL, policy: 'tfjs-adam-lookahead', atPeak: null, highest: null },
      {
        ...MEMORY_CELL,
        status: 'failed',
        allocatorBytes: null,
        allocatorBytesPerParameter: null,
        logicalBytesPerParameter: null,
        atPeak: null,
        highest: null,
        failure: { kind: 'crashed', reason: 'signal SIGSEGV' },
      },
    ],
  };

  test.each([40, 80, 160])('%d columns: nothing is wider', (columns) => {
    const lines = benchText(MEMORY, record, columns).split('\n');
    expect(lines.filter(({ length }) => length > columns)).toEqual([]);
  });

  test('80 columns take the tables, of MiB; 40 take lines', () => {
    const text = benchText(MEMORY, record, 80);
    expect(text).toMatch(
      /│ release\+device:f32 +│ +16\.00 │ +4\.00 │ +4\.34 │ +300 │ +2\.00 │ +381 │/,
    );
    expect(text).toMatch(/│ release\+device:f32 +│ +1\.00 │ +0\.25 │ +2\.00 │ +0\.75 │ +0\.25 │/);
    expect(text.match(/│ tfjs-adam-lookahead/g)).toHaveLength(1); // it tells no purposes
    expect(benchText(MEMORY, record, 40)).not.toContain('┌');
    expect(benchText(MEMORY, record, 40)).toContain('release+device:f32: alloc. B/param 16.00');
  });

  test('on another engine a column says which bytes per parameter they are', () => {
    const text = benchText(MEMORY, WASM_RECORD, 80);
    expect(text).toContain(
      'wasm (SIMD, 1 thread); a processor\ntransformer (262,144 parameters), batch 8',
    );
    expect(text).toMatch(/│ policy +│ logical │ allocator │ logical │/);
    expect(text).toMatch(/│ release\+device:f32 +│ +17\.36 │ +– │ +4\.34 │ +\? │ +2\.00 │ +381 │/);
    expect(text).not.toContain('for each purpose');
    const lines = benchText(MEMORY, WASM_RECORD, 40).split('\n');
    expect(lines.filter(({ length }) => length > 40)).toEqual([]);
  });

  test('a failure is below them', () => {
    expect(benchText(MEMORY, record)).toContain('release+device:f32: crashed: signal SIGSEGV');
  });
});
