// The benchmark of a GPU: its verdicts by made-up records, and a run on a software adapter.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { GPU_RECORD, type Records } from '#bench/gpu/record.js';
import { verdictsOf } from '#bench/gpu/verdicts.js';
import { problemOf } from '#src/records/record-kind.js';

import { againstBuild, entry } from '../built.js';
import { temporaryFolder } from '../cli/run-cli.js';
import {
  MEMORY_CELL,
  MEMORY_RECORD,
  SPEED_CELL,
  SPEED_RECORD,
  SYNC_CELL,
  SYNC_RECORD,
} from '../cli/bench/records.js';
import { hasSwiftShader } from '../engines/webgpu/swiftshader.js';

const NONE: Records = { memory: null, speed: null, sync: null };

const memory = (...cells: (Partial<typeof MEMORY_CELL> & { policy: string })[]): Records => ({
  ...NONE,
  memory: { ...MEMORY_RECORD, cells: cells.map((cell) => ({ ...MEMORY_CELL, ...cell })) },
});
/** So many bytes for 100 parameters, by the driver. */
const bytes = (policy: string, peakBytes: number | null) => ({
  policy,
  parameters: 100,
  driver: { ...MEMORY_CELL.driver, peakBytes },
});
const answersOf = (records: Records) => verdictsOf(records).map(({ answer }) => answer);

test('nothing is known without records', () => {
  expect(answersOf(NONE)).toEqual(['unknown', 'unknown', 'unknown']);
});

test('bytes per parameter: each of the three at most 12.8, by the driver', () => {
  const speed: Records['speed'] = {
    ...SPEED_RECORD,
    options: { ...SPEED_RECORD.options, slow: 'host:f16' },
    cells: [{ ...SPEED_CELL, ...bytes('release+device:f32', 1280) }],
  };
  const within = memory(bytes('release-adam', 1200), bytes('release+device:f32', 1250));
  const [verdict] = verdictsOf({ ...within, speed });
  expect(verdict).toMatchObject({
    answer: 'yes',
    numbers: 'release-adam 12.00, release+device:f32 12.50, release+device:f32 with host:f16 12.80',
  });
  expect(answersOf(within)[0]).toBe('unknown'); // one of three is missing
  expect(answersOf(memory(bytes('release-adam', null)))[0]).toBe('unknown');
  expect(answersOf(memory(bytes('release-adam', 1281)))[0]).toBe('no'); // whatever the others are
});

test('a sync in fp16: at most 1.3 times its copies, on a GPU', () => {
  const sync = (shareOfBus: number, software = false): Records['sync'] => ({
    ...SYNC_RECORD,
    machine: {
      ...SYNC_RECORD.machine,
      adapter: SYNC_RECORD.machine.adapter && { ...SYNC_RECORD.machine.adapter, software },
    },
    cells: [{ ...SYNC_CELL, slow: 'host:f16', shareOfBus }],
  });
  const judged = (record: Records['sync']) => verdictsOf({ ...NONE, sync: record })[1];
  expect(judged(sync(0.8))).toMatchObject({ answer: 'yes', numbers: '1.25 ×' }); // 1 / 0.8
  expect(judged(sync(0.5))).toMatchObject({ answer: 'no', numbers: '2.00 ×' });
  expect(judged(sync(0.5, true))).toMatchObject({ answer: 'unknown', numbers: 'unknown' });
});

test("losses: each within a ten-thousandth of those of tfjs's Adam in the same role", () => {
  const losses = (policy: string, ...values: number[]) => ({ policy, losses: values });
  const tfjs = [losses('tfjs-adam', 2, 1), losses('tfjs-adam-lookahead', 3, 2)];
  const judged = (...ours: ReturnType<typeof losses>[]) => answersOf(memory(...tfjs, ...ours))[2];
  expect(judged(losses('release-adam', 2, 1), losses('release+device:f32', 3, 2.0001))).toBe('yes'); // 5e-5
  expect(judged(losses('release-adam', 2, 1), losses('release+device:f32', 3, 2.001))).toBe('no'); // 5e-4
  expect(judged(losses('release-adam', 2, 1))).toBe('unknown');
});

test.skipIf(!hasSwiftShader)(
  'on SwiftShader: one JSON file, and one table',
  async () => {
    const out = join(temporaryFolder(), 'gpu.json');
    const size = '--layers 2 --width 64 --batch 2 --sync-period 2 --steps 2 --repeats 1';
    const script = againstBuild ? ['dist/bench/gpu.js'] : ['--import', 'tsx', 'bench/gpu.ts'];
    const chosen = '--policy tfjs-adam --policy release+device:f32 --slow host:f16'.split(' ');
    const args = [...script, ...size.split(' '), ...chosen, '--commit', 'abc', '--out', out];
    const child = spawn(process.execPath, args, {
      cwd: entry('.'),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
    const { commit, verdicts, records } = JSON.parse(readFileSync(out, 'utf8')) as {
      commit: string;
      verdicts: unknown;
      records: Required<Records>;
    };
    expect(problemOf(JSON.parse(readFileSync(out, 'utf8')), GPU_RECORD)).toBeNull();
    expect(commit).toBe('abc');
    expect(verdicts).toEqual(verdictsOf(records));
    for (const record of [records.memory, records.speed, records.sync]) {
      expect(record).toMatchObject({ schema: 'slowlane-bench', isPartial: false });
      for (const { status, parameters } of record?.cells ?? []) {
        expect([status, parameters]).toEqual(['done', 2 * 64 * 64]);
      }
    }
    const [tfjs, ours] = records.memory?.cells ?? [];
    expect(ours?.losses?.[0]).toBeCloseTo(tfjs?.losses?.[0] ?? NaN, 4);
    expect(stdout.match(/┌/g)).toHaveLength(1);
    expect(stdout).toContain('SOFTWARE ADAPTER');
    for (const { policy } of records.memory?.cells ?? []) expect(stdout).toContain(`│ ${policy} `);
    expect(readFileSync(out, 'utf8')).not.toContain(entry('.'));
    expect(readFileSync(out, 'utf8')).not.toContain('--json'); // files of this run
  },
  600_000,
);
