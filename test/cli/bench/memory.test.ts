// `bench memory` but for its processes: what becomes of a cell, which policies there are, the time that is left.

import { describe, expect, test } from 'vitest';

import { UNKNOWN } from '#src/measure/meters/driver-meter.js';
import { MEMORY } from '#src/cli/bench/memory/benchmark.js';
import type { MemoryCounts } from '#src/cli/bench/memory/record.js';
import {
  ALL_POLICIES,
  type BenchEngine,
  FIT_POLICIES,
  lacksPolicy,
  policyNamed,
} from '#src/measure/workloads/policies.js';
import { CellsClock } from '#src/cli/bench/cell-benchmark.js';

import { MEMORY_RECORD } from './records.js';

const COUNTS: MemoryCounts = {
  parameters: 1000,
  logicalBytes: 20_000,
  allocatorBytes: 16_500,
  atPeak: null,
  highest: null,
  hostBytes: 8000,
  peakRssBytes: 1e8,
  losses: [2, 1],
};

describe('a cell', () => {
  test('done: bytes a parameter by each meter', () => {
    const ended = { result: COUNTS, failure: null, phase: null, wallMs: 10.4 };
    expect(MEMORY.cellOf('tfjs-adam', ended, UNKNOWN, MEMORY_RECORD.options)).toEqual({
      policy: 'tfjs-adam',
      status: 'done',
      wallMs: 10,
      ...COUNTS,
      allocatorBytesPerParameter: 16.5,
      logicalBytesPerParameter: 20,
      driver: UNKNOWN,
      failure: null,
    });
  });

  test('without an allocator to count there are none by it', () => {
    const ended = {
      result: { ...COUNTS, allocatorBytes: null },
      failure: null,
      phase: null,
      wallMs: 1,
    };
    expect(MEMORY.cellOf('tfjs-adam', ended, UNKNOWN, MEMORY_RECORD.options)).toMatchObject({
      status: 'done',
      allocatorBytesPerParameter: null,
      logicalBytesPerParameter: 20,
    });
  });

  test.each([
    ['stopped', { kind: 'interrupted', reason: 'the run was interrupted' }],
    ['failed', { kind: 'out of memory', reason: 'no more' }],
    ['failed', null],
  ] as const)('%s: no counts, but the reason', (status, failure) => {
    const ended = { result: null, failure, phase: null, wallMs: 10 };
    const cell = MEMORY.cellOf('tfjs-adam', ended, UNKNOWN, MEMORY_RECORD.options);
    expect(cell).toMatchObject({ status, allocatorBytes: null, logicalBytesPerParameter: null });
    expect(cell.failure).toEqual(failure ?? { kind: 'error', reason: 'it ended without a result' });
  });
});

test('every policy of fit is there, beside the same optimizer without Lookahead, and names are names of one', () => {
  const names = ALL_POLICIES.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const policy of FIT_POLICIES) expect(ALL_POLICIES).toContain(policy);
  for (const name of names) expect(policyNamed(name).name).toBe(name);
  const ourBaselines = ALL_POLICIES.filter(({ ours, slow }) => ours !== null && slow !== 'host');
  expect(ourBaselines.map(({ name, slow }) => [name, slow])).toEqual([
    ['keep-adam', null],
    ['release-adam', null],
    ['keep-adam-lookahead', 'variables'],
  ]);
});

test('without WebGPU there are the policies whose moments are on the device', () => {
  const namesOn = (engine: BenchEngine) =>
    ALL_POLICIES.filter((one) => lacksPolicy(engine, one) === null).map(({ name }) => name);
  expect(namesOn('webgpu')).toHaveLength(ALL_POLICIES.length);
  for (const engine of ['wasm', 'cpu', 'tensorflow'] as const) {
    expect(namesOn(engine)).toEqual([
      'tfjs-adam',
      'tfjs-adam-lookahead',
      'keep-adam',
      'release-adam',
      'keep-adam-lookahead',
      'keep+device:f32',
      'release+device:f32',
      'keep+device:q8',
      'release+device:q8',
    ]);
  }
});

test('the time that is left is the mean of the cells so far, for each to come; nothing before the first', () => {
  let now = 0;
  const clock = new CellsClock(4, () => now);
  expect(clock.start()).toBeNull();
  now = 10_000;
  expect(clock.end()).toBe(10_000);
  now = 70_000; // between cells nothing counts
  expect(clock.start()).toBe(30_000); // three of 10 s
  now = 90_000;
  clock.end();
  expect(clock.start()).toBe(30_000); // two of 15 s
});
