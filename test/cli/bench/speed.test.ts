// `bench speed` but for its processes: what becomes of a cell's raw times.

import { expect, test } from 'vitest';

import { UNKNOWN } from '#src/measure/meters/driver-meter.js';
import { SPEED } from '#src/cli/bench/speed/benchmark.js';

import { SPEED_RECORD } from './records.js';

/** A sync at the end of so many steps. */
const every = (syncPeriod: number) => ({ ...SPEED_RECORD.options, syncPeriod });

const TIMES = {
  parameters: 1000,
  stepTimesMs: [
    [1, 4, 1, 6], // mean 3
    [2, 8, 2, 8], // mean 5
  ],
  syncs: null,
  logicalBytes: 20_000,
  allocatorBytes: 16_500,
  hostBytes: 0,
  peakRssBytes: 1e8,
};

test('every kth step is a sync step, the mean is over whole cycles of a repeat', () => {
  const ended = { result: TIMES, failure: null, phase: null, wallMs: 10.4 };
  const cell = SPEED.cellOf('tfjs-adam', ended, UNKNOWN, every(2));
  expect(cell).toMatchObject({ policy: 'tfjs-adam', status: 'done', wallMs: 10, ...TIMES });
  expect(cell.stepMs).toMatchObject({ count: 4, median: 1.5, max: 2 });
  expect(cell.syncStepMs).toMatchObject({ count: 4, median: 7, p95: 8, max: 8 });
  expect(cell.cycleMs).toMatchObject({ count: 2, median: 4, min: 3, max: 5 });
  expect(cell).toMatchObject({
    allocatorBytesPerParameter: 16.5,
    logicalBytesPerParameter: 20,
    driver: UNKNOWN,
    syncMs: null,
  });
});

test('parts of syncs are spread each by itself', () => {
  const cost = { wait: 0, pull: 0, blend: 1, push: 0, bytesPulled: 8, bytesPushed: 8 };
  const syncs = [
    { ...cost, total: 4, check: 3, readback: 9 },
    { ...cost, total: 8, check: 1, readback: 7 },
  ];
  const ended = { result: { ...TIMES, syncs }, failure: null, phase: null, wallMs: 10 };
  const { syncMs } = SPEED.cellOf('keep+device:f32', ended, UNKNOWN, every(2));
  expect(syncMs).toMatchObject({
    total: { count: 2, median: 6, p95: 8 },
    check: { median: 2, p95: 3 },
    readback: { median: 8, p95: 9 },
  });
});

test('with a sync in every step there are no others', () => {
  const ended = { result: TIMES, failure: null, phase: null, wallMs: 10 };
  const cell = SPEED.cellOf('tfjs-adam', ended, UNKNOWN, every(1));
  expect(cell.stepMs).toBeNull();
  expect(cell.syncStepMs).toMatchObject({ count: 8 });
});

test('a process that fails or is stopped leaves no times, but the reason', () => {
  const failure = { kind: 'interrupted', reason: 'the run was interrupted' } as const;
  const stopped = { result: null, failure, phase: null, wallMs: 10 };
  expect(SPEED.cellOf('tfjs-adam', stopped, UNKNOWN, every(2))).toMatchObject({
    status: 'stopped',
    stepTimesMs: null,
    stepMs: null,
    allocatorBytes: null,
    failure,
  });
  const silent = { result: null, failure: null, phase: null, wallMs: 10 };
  expect(SPEED.cellOf('tfjs-adam', silent, UNKNOWN, every(2))).toMatchObject({
    status: 'failed',
    failure: { kind: 'error', reason: 'it ended without a result' },
  });
});
