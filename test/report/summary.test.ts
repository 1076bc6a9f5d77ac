// The numbers of a run as people read them.

import { describe, expect, test } from 'vitest';
import { isRunRecord } from '#src/records/read-record.js';
import { runRecordToJson } from '#src/records/run-record.js';
import { centeredMeans, smoothed } from '#src/report/smoothing.js';
import { summarize } from '#src/report/summary.js';
import { RECORD } from './records.js';

describe('summary', () => {
  const values = new Map(
    summarize(RECORD).flatMap(({ rows }) => rows.map(({ label, value }) => [label, value])),
  );

  test.each([
    ['Test accuracy, fast weights', '90.00 %'],
    ['Test accuracy, slow weights', '96.25 %'],
    ['Test loss, slow weights', '0.1250'],
    ['Device bytes (logical, between batches)', '3 MiB'],
    ['Host bytes, slow weights', '512 KiB'],
    ['Host bytes, staging', '8 MiB'],
    ['Syncs', '40'],
    ['Sync time', '100 ms'],
    ['Sync time, share of training', '2.50 %'], // 100 of 4000
    ['Sync time, each', '2.50 ms'], // 100 / 40
    ['Steps per second', '50.0'], // 200 in 4 s
    ['Time in all', '1 min 05 s'],
  ])('%s: %s', (label, value) => expect(values.get(label)).toBe(value));

  test('without Lookahead there are no rows about syncs and the host', () => {
    const alone = { ...RECORD, sync: null, memory: { ...RECORD.memory, host: null } };
    expect(summarize(alone).map(({ title }) => title)).toEqual(['Quality', 'Memory', 'Speed']);
    expect(summarize(alone)[1]?.rows).toHaveLength(2);
  });

  test('on an engine that keeps moments on the host there is a row for all that is there', () => {
    const memory = { ...RECORD.memory, host: null, reachedHostBytes: 3 * 1024 * 1024 };
    expect(summarize({ ...RECORD, memory })[1]?.rows.at(-1)).toEqual({
      label: 'Host bytes in all, with moments',
      value: '3 MiB',
    });
  });

  test('a run stopped before its first step has no division by zero', () => {
    const text = JSON.stringify(
      summarize({
        ...RECORD,
        steps: { planned: 9, done: 0 },
        wallMs: { training: 0, total: 1 },
        evaluations: [],
        sync: { ...RECORD.sync!, syncs: 0, totalMs: 0 },
      }),
    );
    expect(text).not.toMatch(/NaN|Infinity|∞/);
  });
});

describe('smoothing', () => {
  test('the running mean starts with the first value and moves by a twentieth', () => {
    expect(smoothed(NaN, 3)).toBe(3);
    expect(smoothed(1, 3)).toBeCloseTo(0.95 * 1 + 0.05 * 3);
  });

  test('a centered mean takes its neighbours and leaves nulls out', () => {
    expect(centeredMeans([1, 2, 6])).toEqual([1, 3, 4]); // 1, (1+2+6)/3, (2+6)/2
    expect(centeredMeans([1, null, 6])).toEqual([1, null, 6]);
    expect(centeredMeans([])).toEqual([]);
  });
});

describe('run record', () => {
  test('survives JSON unchanged, and is known as ours', () => {
    const text = runRecordToJson(RECORD);
    expect(JSON.parse(text)).toEqual(RECORD);
    expect(isRunRecord(text)).toBe(true);
  });

  test.each(['', '{', 'null', '[]', '{"tool":"other"}'])('%j is not ours', (text) =>
    expect(isRunRecord(text)).toBe(false),
  );
});
