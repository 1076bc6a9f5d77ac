// The times of syncs: of the last, of all, and of their phases.

import { expect, test, vi } from 'vitest';

import { SyncClock } from '#src/lookahead/stats.js';
import { onCleanSlate } from '../optimizers/state/clean-slate.js';

onCleanSlate();

/** The clock shows these times, one after the other. */
const shows = (...times: number[]) => {
  const now = vi.spyOn(performance, 'now');
  for (const time of times) now.mockReturnValueOnce(time);
};
const nothing = { check: 0, wait: 0, pull: 0, blend: 0, push: 0, readback: 0 };

test('a sync counts from its begin to its end, also if it fails, and whether it waits or not', async () => {
  const clock = new SyncClock();
  expect(clock.times).toEqual({ total: 0, last: 0, ...nothing });
  shows(10, 13);
  await clock.timeSync(async () => undefined);
  expect(clock.times).toMatchObject({ total: 3, last: 3 });
  shows(20, 25);
  clock.timeAtOnce(() => undefined);
  expect(clock.times).toMatchObject({ total: 8, last: 5 });
  shows(30, 37);
  await expect(clock.timeSync(() => Promise.reject(new Error('broke')))).rejects.toThrow('broke');
  expect(clock.times).toMatchObject({ total: 15, last: 7 });
  shows(40, 42);
  const broken = () => {
    throw new Error('broke');
  };
  expect(() => clock.timeAtOnce(broken)).toThrow('broke');
  expect(clock.times).toEqual({ total: 17, last: 2, ...nothing });
});

test('phases add up', async () => {
  const clock = new SyncClock();
  shows(1, 3, 10, 14);
  expect(await clock.time('check', () => 7)).toBe(7);
  await clock.time('check', async () => undefined);
  clock.add('pull', 5);
  expect(clock.times).toEqual({ total: 0, last: 0, ...nothing, check: 6, pull: 5 });
});
