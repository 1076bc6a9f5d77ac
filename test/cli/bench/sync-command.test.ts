// `slowlane bench sync`, as a process; and its tables. No time is judged.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { readBenchRecord } from '#src/cli/bench/record.js';
import { SLOW_PLACES } from '#src/measure/workloads/policies.js';
import type { SyncRecord } from '#src/cli/bench/sync/record.js';
import { SYNC } from '#src/cli/bench/sync/benchmark.js';
import { benchText } from '#src/cli/bench/text.js';

import { SYNC_CELL, SYNC_RECORD } from './records.js';
import { hasSwiftShader } from '../../engines/webgpu/swiftshader.js';
import { expectRefusal, slowlane, temporaryFolder } from '../run-cli.js';

const run = (args: string) => slowlane(['bench', ...args.split(' ')]);

test('--help names every option and every place of slow weights', async () => {
  const { code, stdout } = await run('sync --help');
  expect(code).toBe(0);
  const flags =
    '--engine --model --layers --width --batch --sync-period --repeats --slow --cell-timeout --adapter --json';
  for (const flag of flags.split(' ')) expect(stdout).toContain(`  ${flag} `);
  for (const place of SLOW_PLACES) expect(stdout).toContain(`"${place}"`);
});

test.concurrent.each([
  ['sync --repeats 4', "'4'", 'a whole number ≥ 5'],
  ['sync --slow f16', "'f16'", 'host:f32, host:f16r8, host:f16'],
  ['sync --slow host:f16 --width 63', '--slow host:f16 with --width 63', 'at least --width 64'],
  ['sync --engine cpu --adapter x', '--adapter x', 'use --engine webgpu'],
])('a wrong request ends with exit code 2: slowlane bench %s', async (args, received, allowed) => {
  expectRefusal(await run(args), received, allowed);
});

test.skipIf(!hasSwiftShader)(
  'on SwiftShader: every sync with its parts, its bytes, and the bus with the same',
  async () => {
    const file = join(temporaryFolder(), 'sync.json');
    const size = '--layers 2 --width 64 --batch 2 --sync-period 1 --repeats 5';
    const places = '--slow variables --slow device:f32 --slow host:int8';
    const { code, stdout, stderr } = await run(`sync ${size} ${places} --json ${file}`);
    expect(code).toBe(0);
    expect(stderr).toMatch(/\[1\/3\] host:int8 …\n[^]*\[3\/3\] variables … \(about /);
    const record = readBenchRecord(readFileSync(file, 'utf8')) as SyncRecord;
    expect(record).toMatchObject({ bench: 'sync', isPartial: false, ended: 'done' });
    expect(stdout).toContain(benchText(SYNC, record));
    expect(record.cells.map(({ slow, status }) => [slow, status])).toEqual([
      ['host:int8', 'done'],
      ['device:f32', 'done'],
      ['variables', 'done'],
    ]);
    for (const { times, callMs, doneMs, parameters } of record.cells) {
      expect(parameters).toBe(2 * 64 * 64);
      expect([callMs?.count, doneMs?.count]).toEqual([5, 5]);
      for (const [i, call] of (times?.callMs ?? []).entries()) {
        expect(call).toBeLessThanOrEqual(times?.doneMs[i] ?? NaN);
      }
    }
    const [host, device, variables] = record.cells;
    // 16 blocks of 260 bytes a layer are 4,160; each begins at a multiple of 256, so that it takes 4,352.
    expect(host?.bytes).toBe(2 * 2 * 4352);
    expect(host?.bus).toMatchObject({ pieces: 1, pieceBytes: 2 * 4352 });
    expect(host?.bus?.roundMs).toHaveLength(5);
    expect(host?.times?.costs).toHaveLength(5);
    for (const [i, cost] of (host?.times?.costs ?? []).entries()) {
      const { total, check, wait, pull, blend, push, bytesPulled, bytesPushed } = cost;
      expect([bytesPulled, bytesPushed]).toEqual([2 * 4352, 2 * 4352]);
      expect(check + wait + pull + blend + push).toBeLessThanOrEqual(total + 1e-6);
      expect(total).toBeLessThanOrEqual(host?.times?.callMs[i] ?? NaN);
    }
    expect(host?.busBytesPerSecond).toBeGreaterThan(0);
    expect(host?.shareOfBus).toBeGreaterThan(0);
    expect(host?.shareOfBus).toBeLessThan(10); // a sync has those copies in it
    expect([device?.bytes, device?.bus, device?.shareOfBus]).toEqual([0, null, null]);
    expect(device?.partsMs?.check?.count).toBe(5);
    expect([variables?.bytes, variables?.bus, variables?.partsMs]).toEqual([0, null, null]);
  },
);

test('a model, without WebGPU: what is copied, by which parts, and no bus', async () => {
  const file = join(temporaryFolder(), 'sync.json');
  const what = '--engine wasm --model mlp --batch 2 --sync-period 1 --repeats 5';
  const { code, stdout } = await run(`sync ${what} --slow host:f16r8 --json ${file}`);
  expect(code).toBe(0);
  expect(stdout).toContain('mlp (109,386 parameters), batch 2, 5 syncs');
  expect(stdout).toContain('Nothing measures a bus');
  expect(stdout).toMatch(/│ host:f16r8 │ 855 KiB │ +[\d.]+ │ +[\d.]+ │\n/); // no columns of it
  expect(stdout).not.toMatch(/against|over the bus/);
  const record = readBenchRecord(readFileSync(file, 'utf8')) as SyncRecord;
  expect(record.cells[0]).toMatchObject({
    status: 'done',
    bytes: 2 * 4 * 109_386, // floats are pulled and pushed, packed or not
    bus: null,
    shareOfBus: null,
    partsMs: { pull: { count: 5 }, blend: { count: 5 }, push: { count: 5 } },
  });
});

describe('the tables', () => {
  const failure = { kind: 'crashed', reason: 'signal SIGSEGV' } as const;
  const none = {
    parameters: null,
    bytes: null,
    warmUpMs: null,
    times: null,
    bus: null,
    callMs: null,
    doneMs: null,
    partsMs: null,
    bytesPerSecond: null,
    busBytesPerSecond: null,
  };
  const record: SyncRecord = {
    ...SYNC_RECORD,
    cells: [
      SYNC_CELL,
      { ...SYNC_CELL, ...none, shareOfBus: null, slow: 'host:bf16', status: 'failed', failure },
    ],
  };

  test.each([40, 80, 160])('%d columns: nothing is wider', (columns) => {
    const lines = benchText(SYNC, record, columns).split('\n');
    expect(lines.filter(({ length }) => length > columns)).toEqual([]);
  });

  test('80 columns take the tables; 40 take lines; a failure is below', () => {
    const text = benchText(SYNC, record, 80);
    expect(text).toMatch(/│ host:f16r8 │ 1\.5 MiB │ 8\.00 │ 4\.00 │ +0\.197 │ +0\.393 │ 50\.0 % │/);
    expect(text).toMatch(/│ host:f16r8 │ 5\.00 │ 6\.00 │ 7\.00 │ 8\.00 │ 9\.00 │ 10\.0 │ +40\.0 │/);
    expect(text).toMatch(
      /│ host:f16r8 │ p95 │ 6\.00 │ +2\.00 │ 3\.00 │ 4\.00 │ +5\.00 │ 2\.00 │ 13\.0 │/,
    );
    expect(text).toContain('host:bf16: crashed: signal SIGSEGV');
    expect(benchText(SYNC, record, 40)).not.toContain('┌');
    expect(benchText(SYNC, record, 40)).toContain('host:f16r8: bytes 1.5 MiB sync 8.00');
  });

  test('show prints them', async () => {
    const file = join(temporaryFolder(), 'sync.json');
    writeFileSync(file, JSON.stringify(SYNC_RECORD));
    const { code, stdout } = await run(`show ${file}`);
    expect(stdout).toBe(`${benchText(SYNC, SYNC_RECORD)}\n`);
    expect(code).toBe(0);
  });
});
