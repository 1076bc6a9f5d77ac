// `slowlane bench speed`, as a process; and its tables. No time is judged.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { ALL_POLICIES } from '#src/measure/workloads/policies.js';
import { readBenchRecord } from '#src/cli/bench/record.js';
import type { SpeedRecord } from '#src/cli/bench/speed/record.js';
import { SPEED } from '#src/cli/bench/speed/benchmark.js';
import { benchText } from '#src/cli/bench/text.js';

import { SPEED_CELL, SPEED_RECORD } from './records.js';
import { hasSwiftShader } from '../../engines/webgpu/swiftshader.js';
import { expectRefusal, slowlane, temporaryFolder } from '../run-cli.js';

const run = (args: string) => slowlane(['bench', ...args.split(' ')]);

test('--help names every option and every policy', async () => {
  const { code, stdout } = await run('speed --help');
  expect(code).toBe(0);
  const flags =
    '--engine --model --layers --width --batch --steps --repeats --slow --sync-period --policy --cell-timeout --adapter --json';
  for (const flag of flags.split(' ')) expect(stdout).toContain(`  ${flag} `);
  for (const { name } of ALL_POLICIES) expect(stdout).toContain(`\n  ${name} `);
});

test.concurrent.each([
  ['speed --repeats 0', "'0'", 'a whole number ≥ 1'],
  ['speed --policy adam', "'adam'", 'tfjs-adam, tfjs-adam-lookahead, keep-adam'],
  ['speed --slow device:f32', "'device:f32'", 'host:f32, host:f16r8, host:f16, host:bf16'],
  ['speed --slow host:f16 --width 63', '--width 63', 'at least --width 64'],
  ['speed --slow host:f16 --policy keep-adam', '--slow host:f16', 'leave --slow out'],
  ['speed --engine wasm --policy keep+host:f32', 'keep+host:f32', 'device:f32 is the same'],
])('a wrong request ends with exit code 2: slowlane bench %s', async (args, received, allowed) => {
  expectRefusal(await run(args), received, allowed);
});

test('show prints the tables of a record', async () => {
  const file = join(temporaryFolder(), 'speed.json');
  writeFileSync(file, JSON.stringify(SPEED_RECORD));
  const { code, stdout } = await run(`show ${file}`);
  expect(stdout).toBe(`${benchText(SPEED, SPEED_RECORD)}\n`);
  expect(code).toBe(0);
});

test('a model, without WebGPU', async () => {
  const file = join(temporaryFolder(), 'speed.json');
  const size = '--batch 2 --steps 2 --sync-period 2 --repeats 1';
  const what = '--engine wasm --model mlp --policy keep+device:f32';
  const { code, stdout } = await run(`speed ${what} ${size} --json ${file}`);
  expect(code).toBe(0);
  expect(stdout).toContain('mlp (109,386 parameters), batch 2, 1 repeats of 2 steps of Adam');
  const record = readBenchRecord(readFileSync(file, 'utf8')) as SpeedRecord;
  expect(record).toMatchObject({ machine: { adapter: null }, options: { engine: 'wasm' } });
  const bytes = 4 * 109_386;
  expect(record.cells[0]).toMatchObject({
    status: 'done',
    syncs: [{ bytesPulled: bytes, bytesPushed: bytes }],
    allocatorBytes: null,
    allocatorBytesPerParameter: null,
  });
});

test.skipIf(!hasSwiftShader)(
  'on SwiftShader: all raw times, what syncs moved, and memory',
  async () => {
    const file = join(temporaryFolder(), 'speed.json');
    const size = '--layers 2 --width 64 --batch 2 --steps 3 --sync-period 2 --repeats 2';
    const policies = '--policy tfjs-adam --policy release+device:f32 --slow host:f16';
    const { code, stdout } = await run(`speed ${size} ${policies} --json ${file}`);
    expect(code).toBe(0);
    expect(stdout).toContain('SOFTWARE ADAPTER: bytes are exact, times mean nothing.');
    const record = readBenchRecord(readFileSync(file, 'utf8')) as SpeedRecord;
    expect(record).toMatchObject({ bench: 'speed', isPartial: false, options: { steps: 4 } }); // 2 cycles
    const [tfjs, ours] = record.cells;
    for (const cell of record.cells) {
      expect(cell.status).toBe('done');
      expect(cell.stepTimesMs?.map(({ length }) => length)).toEqual([4, 4]);
      expect(cell).toMatchObject({ stepMs: { count: 4 }, syncStepMs: { count: 4 } });
    }
    // 4 cycles; the slow weights of 2 layers of 64 × 64 each way, 2 bytes each.
    const parameters = 2 * 64 * 64;
    const bytes = 2 * parameters;
    expect([tfjs?.syncs, tfjs?.syncMs]).toEqual([null, null]);
    expect(ours?.syncs).toHaveLength(4);
    for (const { total, check, wait, pull, blend, push, ...moved } of ours?.syncs ?? []) {
      expect(moved).toMatchObject({ bytesPulled: bytes, bytesPushed: bytes });
      expect(check + wait + pull + blend + push).toBeLessThanOrEqual(total + 1e-6);
    }
    expect(ours?.syncMs).toMatchObject({ total: { count: 4 }, readback: { count: 4 } });
    for (const cell of record.cells) {
      expect(cell.allocatorBytesPerParameter).toBe((cell.allocatorBytes ?? NaN) / parameters);
      expect(cell.logicalBytes).toBeGreaterThan(3 * 4 * parameters); // weights, m and v
      expect(cell.allocatorBytes).toBeGreaterThan(3 * 4 * parameters);
      expect(cell.peakRssBytes).toBeGreaterThan(2 ** 20);
      expect(cell.driver.source).toBe('unknown'); // of a software adapter no driver is asked
    }
    expect([tfjs?.hostBytes, ours?.hostBytes]).toEqual([0, 3 * bytes]); // one piece, up and down
  },
);

describe('the tables', () => {
  const failure = { kind: 'crashed', reason: 'signal SIGSEGV' } as const;
  const none = {
    cycleMs: null,
    stepMs: null,
    syncStepMs: null,
    syncMs: null,
    syncs: null,
    stepTimesMs: null,
    allocatorBytesPerParameter: null,
    logicalBytesPerParameter: null,
    allocatorBytes: null,
  };
  const record: SpeedRecord = {
    ...SPEED_RECORD,
    cells: [SPEED_CELL, { ...SPEED_CELL, ...none, policy: 'tfjs-adam', status: 'failed', failure }],
  };

  test.each([40, 80, 160])('%d columns: nothing is wider', (columns) => {
    const lines = benchText(SPEED, record, columns).split('\n');
    expect(lines.filter(({ length }) => length > columns)).toEqual([]);
  });

  test('80 columns take the tables: bytes beside times, parts of syncs at p50 and p95', () => {
    const text = benchText(SPEED, record, 80);
    expect(text).toMatch(
      /│ keep-adam-lookahead │ +16\.00 │ +16\.0 │ +15\.0…18\.0 │ +11\.0 │ +12\.0 │ +13\.0 │/,
    );
    expect(text).toMatch(/│ keep-adam-lookahead │ +121 │ +122 │ +123 │ +2 MiB │/);
    expect(text).toMatch(/│ p50 │ 5\.00 │ +1\.00 │ 2\.00 │ 3\.00 │ +4\.00 │ 1\.00 │ 12\.0 │/);
    expect(text).toMatch(/│ p95 │ 6\.00 │ +2\.00 │ 3\.00 │ 4\.00 │ +5\.00 │ 2\.00 │ 13\.0 │/);
    expect(text).toMatch(
      /│ keep-adam-lookahead │ +16\.00 │ +4\.00 │ +4\.34 │ +300 │ +2\.00 │ +381 │/,
    );
  });

  test('a failure is below them', () => {
    expect(benchText(SPEED, record)).toContain('tfjs-adam: crashed: signal SIGSEGV');
  });
});
