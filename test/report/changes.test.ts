// What is sent to a live page: changes that give the whole again, and stay small.

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { applyChange, type Change, changesOf } from '#src/report/changes.js';
import { runningState } from '#src/report/report.js';
import { timedRun } from './timelines.js';

function sent(before: unknown, after: unknown): unknown {
  const change = changesOf(before, after);
  if (change === undefined) return before;
  return applyChange(before, JSON.parse(JSON.stringify(change)) as Change);
}

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer({ min: 0, max: 3 }),
    fc.constantFrom(null, 'a', true),
    fc.array(fc.integer({ min: 0, max: 3 })),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value')),
  ),
})).value;

test('what was before and what changed give what is now, whatever they are', () => {
  fc.assert(
    fc.property(plain, plain, (before, after) => {
      expect(JSON.stringify(sorted(sent(before, after)))).toBe(JSON.stringify(sorted(after)));
    }),
    { numRuns: 2000 },
  );
});

test('nothing is sent of what is the same; of a longer column only its end', () => {
  expect(changesOf({ a: [1, 2], b: 'x' }, { a: [1, 2], b: 'x' })).toBeUndefined();
  expect(changesOf({ a: [1, 2], b: 'x' }, { a: [1, 2, 3], b: 'x' })).toEqual({
    of: { a: { keep: 2, add: [3] } },
  });
});

test.each([
  ['without a timeline', null, 8_000],
  ['with one', undefined, 40_000],
] as const)(
  'a second of 60 steps of a run of 9,000, %s, is a few kilobytes',
  (_, timeline, most) => {
    const at = (steps: number) => {
      const run = timedRun(steps);
      return runningState({ ...run, timeline: timeline === null ? null : run.timeline });
    };
    const [before, after] = [at(8940), at(9000)];
    const text = JSON.stringify(changesOf(before, after));
    expect(text.length).toBeLessThan(most);
    expect(sent(before, after)).toEqual(after);
  },
);

/** Fields in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inside]) => [name, sorted(inside)]),
  );
}
