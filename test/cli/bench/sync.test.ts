// `bench sync` but for its processes: what becomes of raw times, and which formats a layer is packed in.

import { expect, test } from 'vitest';

import { HOST_FORMATS, isQuantized, SLOW_PLACES } from '#src/measure/workloads/policies.js';
import { costOfSync } from '#src/measure/times/timed-syncs.js';
import { UNKNOWN } from '#src/measure/meters/driver-meter.js';
import { SYNC } from '#src/cli/bench/sync/benchmark.js';
import type { LookaheadStats } from '#src/index.js';

import { SYNC_RECORD } from './records.js';

const MEASURED = {
  parameters: 1000,
  bytes: 4_000_000,
  warmUpMs: [90, 11],
  times: { callMs: [2, 3, 1], doneMs: [9, 12, 10], costs: null },
  bus: { pieces: 2, pieceBytes: 1_000_000, firstMs: 30, roundMs: [8, 7, 9] },
};

const cellOf = (slow: string, ended: Parameters<typeof SYNC.cellOf>[1]) =>
  SYNC.cellOf(slow, ended, UNKNOWN, SYNC_RECORD.options);

const endedWith = (result: typeof MEASURED | (Omit<typeof MEASURED, 'bus'> & { bus: null })) => ({
  result,
  failure: null,
  phase: null,
  wallMs: 10.4,
});

test('the share of the bus is by medians: 4 MB in 10 ms of what does them in 8', () => {
  const cell = cellOf('host:f16', endedWith(MEASURED));
  expect(cell).toMatchObject({ slow: 'host:f16', status: 'done', wallMs: 10, ...MEASURED });
  expect(cell.callMs).toMatchObject({ count: 3, median: 2, p95: 3, max: 3 });
  expect(cell.doneMs).toMatchObject({ count: 3, median: 10, p95: 12, max: 12 });
  expect(cell.bytesPerSecond).toBe(400_000_000);
  expect(cell.busBytesPerSecond).toBe(500_000_000);
  expect(cell.shareOfBus).toBeCloseTo(0.8, 12);
  expect(cell.partsMs).toBeNull();
});

test('on the device there is no share of any bus', () => {
  const cell = cellOf('variables', endedWith({ ...MEASURED, bytes: 0, bus: null }));
  expect(cell).toMatchObject({ status: 'done', doneMs: { median: 10 } });
  expect([cell.bytesPerSecond, cell.busBytesPerSecond, cell.shareOfBus]).toEqual([
    null,
    null,
    null,
  ]);
});

test('a process that is stopped or fails leaves no times, but the reason', () => {
  const failure = { kind: 'interrupted', reason: 'the run was interrupted' } as const;
  const stopped = cellOf('host:f16', { result: null, failure, phase: null, wallMs: 10 });
  expect(stopped).toMatchObject({ status: 'stopped', times: null, shareOfBus: null, failure });
  const silent = cellOf('host:f16', { result: null, failure: null, phase: null, wallMs: 10 });
  expect(silent).toMatchObject({
    status: 'failed',
    failure: { kind: 'error', reason: 'it ended without a result' },
  });
});

test('the cost of a sync is what the counters rose by; none, or two, is an error', () => {
  const statsAt = (syncs: number) => {
    const all = 10 * syncs;
    const syncMs = { total: all, last: 1, check: 1, wait: 2 * syncs, pull: 0, blend: 1, push: 0 };
    const moved = { bytesPulled: 100 * syncs, bytesPushed: 200 * syncs };
    return { syncs, syncMs: { ...syncMs, readback: 3 * syncs }, ...moved } as LookaheadStats;
  };
  expect(costOfSync(statsAt(4), statsAt(5))).toEqual({
    total: 10,
    check: 0,
    wait: 2,
    pull: 0,
    blend: 0,
    push: 0,
    readback: 3,
    bytesPulled: 100,
    bytesPushed: 200,
  });
  expect(() => costOfSync(statsAt(4), statsAt(4))).toThrow('There were 0 syncs');
  expect(() => costOfSync(statsAt(4), statsAt(6))).toThrow('There were 2 syncs');
});

test('layers of fewer than 4,096 weights are packed in no format but float32', () => {
  expect(HOST_FORMATS).toEqual(['host:f32', 'host:f16r8', 'host:f16', 'host:bf16', 'host:int8']);
  expect(SLOW_PLACES.filter((place) => isQuantized(place, 63))).toEqual([
    'host:f32',
    'device:f32',
    'variables',
  ]);
  expect(SLOW_PLACES.filter((place) => isQuantized(place, 64))).toEqual(SLOW_PLACES);
});
