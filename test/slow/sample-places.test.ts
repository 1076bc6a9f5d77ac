// Which weights a sync looks at.

import { expect, test } from 'vitest';

import { SamplePlaces } from '#src/slow/sample-places.js';

test('few weights: all of them, in blocks of 256', () => {
  const parts = [{ length: 300 }, { length: 0 }, { length: 5 }];
  const expected = [
    { part: parts[0], first: 0, length: 256 },
    { part: parts[0], first: 256, length: 44 },
    { part: parts[2], first: 0, length: 5 },
  ];
  const places = new SamplePlaces();
  expect(places.next(parts)).toEqual(expected);
  expect(places.next(parts)).toEqual(expected);
  expect(places.next([])).toEqual([]);
});

test('small weights: up to 16 of them a sync, each of them once', () => {
  const parts = Array.from({ length: 40 }, (_, i) => ({ length: 10 + i }));
  const places = new SamplePlaces();
  const seen = new Set<object>();
  for (let sync = 0; sync < 10; sync++) {
    const next = places.next(parts);
    expect(next.length).toBeGreaterThan(8);
    expect(next.length).toBeLessThanOrEqual(16);
    expect(new Set(next.map(({ part }) => part)).size).toBe(next.length);
    for (const { part, first, length } of next) {
      expect([first, length]).toEqual([0, part.length]);
      seen.add(part);
    }
  }
  expect(seen.size).toBe(40);
});

test('many weights: 4 blocks a sync, and in 100 syncs every tenth of them about equally', () => {
  const parts = Array.from({ length: 10 }, () => ({ length: 256 * 10_000 }));
  const places = new SamplePlaces();
  const seen = new Map(parts.map((part) => [part, 0]));
  for (let sync = 0; sync < 100; sync++) {
    const next = places.next(parts);
    expect(next).toHaveLength(4);
    for (const { part, first, length } of next) {
      expect([first % 256, length]).toEqual([0, 256]);
      expect(first).toBeLessThan(part.length);
      seen.set(part, (seen.get(part) ?? 0) + 1);
    }
  }
  for (const count of seen.values()) expect(Math.abs(count - 40)).toBeLessThanOrEqual(2);
});
