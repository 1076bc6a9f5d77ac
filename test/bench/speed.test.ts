// `bench speed` but for its processes: what becomes of a cell's raw times.

import { expect, test } from 'vitest';

import { speedCellOf } from '#src/bench/speed/speed-cell.js';

const TIMES = {
  parameters: 1000,
  stepTimesMs: [
    [1, 4, 1, 6], // mean 3
    [2, 8, 2, 8], // mean 5
  ],
  sync: null,
};

test('every kth step is a sync step, the mean is over whole cycles of a repeat', () => {
  const ended = { result: TIMES, failure: null, phase: null, wallMs: 10.4 };
  const cell = speedCellOf('tfjs-adam', ended, 2);
  expect(cell).toMatchObject({ policy: 'tfjs-adam', status: 'done', wallMs: 10, ...TIMES });
  expect(cell.stepMs).toMatchObject({ count: 4, median: 1.5, max: 2 });
  expect(cell.syncStepMs).toMatchObject({ count: 4, median: 7, p95: 8, max: 8 });
  expect(cell.cycleMs).toMatchObject({ count: 2, median: 4, min: 3, max: 5 });
});

test('with a sync in every step there are no others', () => {
  const ended = { result: TIMES, failure: null, phase: null, wallMs: 10 };
  const cell = speedCellOf('tfjs-adam', ended, 1);
  expect(cell.stepMs).toBeNull();
  expect(cell.syncStepMs).toMatchObject({ count: 8 });
});

test('a process that fails or is stopped leaves no times, but the reason', () => {
  const failure = { kind: 'interrupted', reason: 'the run was interrupted' } as const;
  const stopped = { result: null, failure, phase: null, wallMs: 10 };
  expect(speedCellOf('tfjs-adam', stopped, 2)).toMatchObject({
    status: 'stopped',
    stepTimesMs: null,
    stepMs: null,
    failure,
  });
  const silent = { result: null, failure: null, phase: null, wallMs: 10 };
  expect(speedCellOf('tfjs-adam', silent, 2)).toMatchObject({
    status: 'failed',
    failure: { kind: 'error', reason: 'it ended without a result' },
  });
});
