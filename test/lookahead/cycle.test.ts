// The cycle counts: when a sync is due, and which counters can have been saved.

import { describe, expect, test } from 'vitest';

import { checkCounters, SyncCycle } from '#src/lookahead/cycle.js';

const stepped = (cycle: SyncCycle, steps: number) => {
  for (let i = 0; i < steps; i++) cycle.step();
  return cycle;
};

describe('the cycle', () => {
  test('begins with the first weight: steps before it count for no sync', () => {
    const cycle = stepped(new SyncCycle(1), 3);
    expect([cycle.isDue, cycle.isEnding, cycle.hasMoved, cycle.steps]).toEqual([
      false,
      false,
      false,
      3,
    ]);
    cycle.join();
    expect([cycle.isDue, cycle.isEnding, cycle.hasMoved]).toEqual([false, true, false]);
    cycle.step();
    expect([cycle.isDue, cycle.hasMoved]).toEqual([true, true]);
  });

  test('of 3 steps ends with the third; later weights join it as it is', () => {
    const cycle = new SyncCycle(3);
    cycle.join();
    const seen = [0, 1, 2, 3].map((i) => {
      if (i > 0) cycle.step();
      cycle.join();
      return [cycle.isEnding, cycle.isDue];
    });
    expect(seen).toEqual([
      [false, false],
      [false, false],
      [true, false],
      [true, true],
    ]);
    cycle.synced();
    expect([cycle.isDue, cycle.hasMoved, cycle.syncs, cycle.steps]).toEqual([false, false, 1, 3]);
  });

  test('restarted it counts anew, and no sync; before the first weight it stays unbegun', () => {
    const cycle = new SyncCycle(2);
    stepped(cycle, 1).restart();
    expect(cycle.save()).toEqual([1]);
    cycle.join();
    stepped(cycle, 1).restart();
    expect([cycle.isEnding, cycle.syncs, ...cycle.save()]).toEqual([false, 0, 2, 2, 2, 0]);
  });

  test('goes on where it was saved; under another period it begins with the next weight', () => {
    const cycle = new SyncCycle(3);
    cycle.join();
    stepped(cycle, 3).synced();
    stepped(cycle, 2);
    expect(cycle.save()).toEqual([5, 3, 3, 1]);
    const same = new SyncCycle(3);
    same.load(cycle.save());
    expect([same.isEnding, same.hasMoved, same.syncs]).toEqual([true, true, 1]);
    const other = new SyncCycle(4);
    other.load(cycle.save());
    expect([other.steps, other.syncs, ...other.save()]).toEqual([5, 0, 5]);
    other.join();
    expect(other.save()).toEqual([5, 4, 5, 0]);
    other.load([2]);
    expect(other.save()).toEqual([2]);
  });
});

describe('counters', () => {
  test.each([[[0]], [[7]], [[5, 3, 3, 1]], [[5, 3, 5, 0]], [[0, 1, 0, 0]]])(
    '%j may be saved',
    (saved) => {
      expect(() => checkCounters(saved)).not.toThrow();
    },
  );

  test.each([
    [[], 'none'],
    [[5, 3], 'two'],
    [[5, 3, 3], 'three'],
    [[5, 3, 3, 1, 0], 'five'],
    [[-1], 'negative'],
    [[0.5], 'not whole'],
    [[5, 3, 3, -1], 'negative syncs'],
    [[5, 3, 6, 1], 'begun after its last step'],
    [[5, 2, 3, 1], 'with a sync that is due'],
  ])('%j: %s', (saved) => {
    expect(() => checkCounters(saved)).toThrow(
      expect.objectContaining({
        code: 'STATE_MISMATCH',
        message: `These are not the counters of a Lookahead: [${saved.join(', ')}].`,
      }),
    );
    expect(() => new SyncCycle(3).load(saved)).toThrow('not the counters');
  });
});
