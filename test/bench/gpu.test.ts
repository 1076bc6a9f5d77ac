// The GPU benchmark on a software adapter: what it writes is whole and exact; the times mean nothing.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { CELLS } from '#bench/gpu/cells.js';
import { lossDifference } from '#bench/gpu/parity.js';
import type { BenchRecord } from '#bench/gpu/record.js';
import { busBytes } from '#src/measure/bus.js';
import { peakOf } from '#src/measure/peaks.js';

import { entry } from '../built.js';
import { hasSwiftShader } from '../engines/webgpu/swiftshader.js';
import { bench, cellOf, type Finished, readRecord } from '../cli/bench/run-bench.js';

const SIZE = '--layers 2 --width 64 --batch 4 --k 2 --steps 3 --repeats 2'.split(' ');
const PARAMETERS = 2 * 64 * 64;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slowlane-bench-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('--list names every cell and measures nothing', async () => {
  const { code, stdout } = await bench(['--list']);
  expect(code).toBe(0);
  for (const { name } of CELLS) expect(stdout).toContain(name);
});

test('a wrong option says what is allowed', async () => {
  const { code, stderr } = await bench(['--cells', 'sgd,adam', '--width', '64']);
  expect(code).toBe(2);
  expect(stderr).toContain("There is no cell 'adam'");
});

describe.skipIf(!hasSwiftShader)('on SwiftShader', () => {
  describe('a run of some cells, one of which crashes', () => {
    let finished: Finished;
    let record: BenchRecord;
    let file = '';

    beforeAll(async () => {
      file = join(folder, 'new', 'result.json');
      const cells = 'tfjs-adam,adam-release,crash,copy-device,adam-update-only,bus';
      finished = await bench([...SIZE, '--cells', cells, '--out', file, '--commit', 'abc']);
      record = readRecord(file);
    });

    test('ends well and is whole', () => {
      expect(finished.code).toBe(0);
      expect(record).toMatchObject({
        schema: 'slowlane-gpu-bench',
        schemaVersion: 1,
        partial: false,
        options: { layers: 2, width: 64, batch: 4, steps: 4, repeats: 2, syncPeriod: 2 },
        machine: { adapter: { software: true }, commit: 'abc', versions: { tfjs: '4.22.0' } },
      });
      expect(finished.stderr).toMatch(/\[1\/6\] tfjs-adam[^]*about \d+:\d\d left/);
    });

    test('the crashed cell has its reason, all others have run', () => {
      const endings = record.cells.map((cell) => [cell.name, cell.status]);
      expect(endings).toEqual([
        ['tfjs-adam', 'ok'],
        ['adam-release', 'ok'],
        ['crash', 'failed'],
        ['copy-device', 'ok'],
        ['adam-update-only', 'ok'],
        ['bus', 'ok'],
      ]);
      expect(cellOf(record, 'crash')).toMatchObject({
        failure: { kind: 'crashed', reason: expect.stringContaining('SIGSEGV') as string },
      });
    });

    test.each(['tfjs-adam', 'adam-release'])('%s has all raw values', (name) => {
      const cell = cellOf(record, name);
      if (cell.status !== 'ok' || cell.values.kind !== 'training') throw new Error('no values');
      const { values, summary } = cell;
      expect(values.parameters).toBe(PARAMETERS);
      expect(values.losses).toHaveLength(20);
      expect(values.warmUpMs).toHaveLength(20);
      expect(values.awaitedMs.map(({ length }) => length)).toEqual([4, 4]); // 3 steps are 2 cycles of 2
      expect(values.unsynchronisedMs).toHaveLength(2);
      expect(summary).toMatchObject({ stepMs: { count: 4 }, syncStepMs: { count: 4 } });
      expect(Object.keys(values.peaks)).toEqual(['set-up', 'warm-up', 'awaited', 'unsynchronised']);
    });

    test('the counted buffers are those of the backend, to the byte', () => {
      for (const name of ['tfjs-adam', 'adam-release', 'adam-update-only']) {
        const cell = cellOf(record, name);
        if (cell.status !== 'ok') throw new Error(cell.failure.reason);
        const { countedBytes, backendBytes } = cell.values.buffersAtEnd;
        expect(countedBytes).toBe(backendBytes);
        expect(countedBytes).toBeGreaterThan(4 * PARAMETERS);
      }
    });

    test('buffers of the bare cells are counted exactly', () => {
      const copy = cellOf(record, 'copy-device');
      const bus = cellOf(record, 'bus');
      if (copy.status !== 'ok' || bus.status !== 'ok') throw new Error('no values');
      expect(peakOf(copy.values.peaks, 'deviceLocalBytes')).toBe(2 * 4 * PARAMETERS);
      expect(peakOf(copy.values.peaks, 'mappableBytes')).toBe(0);
      const { mappableBytes, deviceLocalBytes } = busBytes([4 * PARAMETERS]);
      expect(peakOf(bus.values.peaks, 'mappableBytes')).toBe(mappableBytes);
      expect(peakOf(bus.values.peaks, 'deviceLocalBytes')).toBe(deviceLocalBytes);
      expect(bus.values.buffersAtEnd.countedBytes).toBe(0);
    });

    test("our losses are those of tfjs's Adam", () => {
      const difference = lossDifference(cellOf(record, 'adam-release'), record.cells);
      expect(difference).toBeLessThan(1e-4);
    });

    test('the table and the Markdown file say loudly that it is a software adapter', () => {
      const markdown = readFileSync(file.replace('.json', '.md'), 'utf8');
      for (const text of [markdown, finished.stdout]) {
        expect(text).toContain('SOFTWARE ADAPTER');
        expect(text).not.toContain('PARTIAL');
        expect(text).toContain('adam-release');
        expect(text).toContain('SIGSEGV');
      }
      expect(record.verdicts.map(({ answer }) => answer)).toEqual([
        'unknown',
        'unknown',
        'unknown',
      ]);
    });

    test('no file says where it was made', () => {
      expect(readFileSync(file, 'utf8')).not.toContain(entry('.'));
    });
  });

  test('a cell that takes too long is ended, and the run goes on', async () => {
    const file = join(folder, 'slow.json');
    const forever = ['--layers', '2', '--width', '64', '--steps', '100000'];
    const limit = ['--cells', 'sgd,copy-device', '--cell-timeout', '10', '--out', file];
    const { code } = await bench([...forever, ...limit]);
    expect(code).toBe(0);
    const record = readRecord(file);
    expect(cellOf(record, 'sgd')).toMatchObject({ failure: { kind: 'timed out' } });
    expect(cellOf(record, 'copy-device').status).toBe('ok');
  });

  test('Ctrl-C writes what there is, marked partial', async () => {
    const file = join(folder, 'stopped.json');
    const forever = ['--layers', '2', '--width', '64', '--steps', '100000'];
    let isStopped = false;
    const { code, stdout } = await bench(
      [...forever, '--cells', 'copy-device,sgd,bus', '--out', file],
      (stderr, child) => {
        if (isStopped || !stderr.includes('[2/3]')) return;
        isStopped = true;
        child.kill('SIGINT');
      },
    );
    expect(code).toBe(130);
    const record = readRecord(file);
    expect(record.partial).toBe(true);
    expect(record.cells.map(({ name, status }) => [name, status])).toEqual([
      ['copy-device', 'ok'],
      ['sgd', 'failed'],
    ]);
    expect(cellOf(record, 'sgd')).toMatchObject({ failure: { kind: 'interrupted' } });
    expect(stdout).toContain('PARTIAL');
    expect(readFileSync(file.replace('.json', '.md'), 'utf8')).toContain('PARTIAL');
  });

  test('a place that cannot be written is known before anything is measured', async () => {
    const inAFile = join(entry('package.json'), 'result.json');
    const { code, stderr } = await bench([...SIZE, '--out', inAFile]);
    expect(code).toBe(1);
    expect(stderr).toContain('--out names another file');
    expect(stderr).not.toContain('[1/');
    expect(existsSync(inAFile)).toBe(false);
  });
});
