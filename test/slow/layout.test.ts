import fc from 'fast-check';
import { expect, test } from 'vitest';

import { layOut } from '#src/slow/layout.js';

/** Each chunk as [offset, length, parts as [item, start, length, offset]]. */
const laidOut = (sizes: readonly number[], chunkElements: number, group?: number) => {
  const items = sizes.map((size, item) => ({ size, item }));
  return layOut(items, chunkElements, group).map(({ parts, offset, length }) => [
    offset,
    length,
    parts.map((part) => [part.item.item, part.start, part.length, part.offset]),
  ]);
};

test('small weights are gathered, and large ones are split', () => {
  expect(laidOut([2, 3, 1, 10, 0, 2], 6)).toEqual([
    [
      0,
      6,
      [
        [0, 0, 2, 0],
        [1, 0, 3, 2],
        [2, 0, 1, 5],
      ],
    ],
    [6, 6, [[3, 0, 6, 0]]],
    [
      12,
      6,
      [
        [3, 6, 4, 0],
        [5, 0, 2, 4],
      ],
    ],
  ]);
  expect(laidOut([5, 2], 6)).toEqual([
    [0, 5, [[0, 0, 5, 0]]],
    [5, 2, [[1, 0, 2, 0]]],
  ]);
  expect(laidOut([], 6)).toEqual([]);
});

test('in groups of 4, each part begins at a multiple of 4: 3 elements take 4 places', () => {
  expect(laidOut([3, 2, 9, 1], 8, 4)).toEqual([
    [
      0,
      8,
      [
        [0, 0, 3, 0],
        [1, 0, 2, 4],
      ],
    ],
    [8, 8, [[2, 0, 8, 0]]],
    [
      16,
      8,
      [
        [2, 8, 1, 0],
        [3, 0, 1, 4],
      ],
    ],
  ]);
});

test('a layout covers every element once, in order, in chunks that are not too long', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40)), fc.integer({ min: 1, max: 30 }), (sizes, chunkElements) => {
      const items = sizes.map((size) => ({ size }));
      const chunks = layOut(items, chunkElements);
      let offset = 0;
      const seen: [number, number][] = [];
      for (const chunk of chunks) {
        expect(chunk.offset).toBe(offset);
        expect(chunk.length).toBeGreaterThan(0);
        expect(chunk.length).toBeLessThanOrEqual(chunkElements);
        let within = 0;
        for (const part of chunk.parts) {
          expect(part.offset).toBe(within);
          for (let i = 0; i < part.length; i++)
            seen.push([items.indexOf(part.item), part.start + i]);
          within += part.length;
        }
        expect(within).toBe(chunk.length);
        offset += chunk.length;
      }
      expect(seen).toEqual(
        sizes.flatMap((size, w) => Array.from({ length: size }, (_, i) => [w, i])),
      );
    }),
  );
});

test('a weight that fits into a chunk is not split', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (sizes) => {
      const items = sizes.map((size) => ({ size }));
      const parts = layOut(items, 30).flatMap((chunk) => chunk.parts);
      for (const one of items) {
        if (one.size <= 30) expect(parts.filter(({ item }) => item === one)).toHaveLength(1);
      }
    }),
  );
});
