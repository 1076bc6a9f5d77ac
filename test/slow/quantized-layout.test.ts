import fc from 'fast-check';
import { expect, test } from 'vitest';

import { layOutQuantized } from '#src/slow/quantized-layout.js';
import { GROUPS, storedBytes } from '#workers/codecs/value-format.js';

const items = fc.array(
  fc.record({
    size: fc.integer({ min: 0, max: 5000 }),
    format: fc.constantFrom('f32' as const, 'f16r8' as const, 'f16' as const, 'int8' as const),
  }),
  { maxLength: 12 },
);

test('every element has one place, in order; parts begin where a device can bind them', () => {
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 9000 }), (given, pieceBytes) => {
      const all = given.map((one, item) => ({ ...one, item }));
      const pieces = layOutQuantized(all, pieceBytes);
      const next = new Map<number, number>();
      for (const { parts, bytes } of pieces) {
        expect(bytes).toBeLessThanOrEqual(Math.max(512, pieceBytes));
        expect(parts.length).toBeGreaterThan(0);
        let filled = 0;
        for (const { item, format, start, length, offset } of parts) {
          expect(offset).toBeGreaterThanOrEqual(filled);
          expect([offset % 256, (start * 4) % 256]).toEqual([0, 0]);
          expect(start % GROUPS[format].elements).toBe(0);
          expect(start).toBe(next.get(item) ?? 0);
          expect(format).toBe(given[item]?.format);
          next.set(item, start + length);
          filled = offset + storedBytes(format, length);
        }
        expect(filled).toBeLessThanOrEqual(bytes);
      }
      expect(all.every(({ item, size }) => (next.get(item) ?? 0) === size)).toBe(true);
    }),
  );
});

test('a variable that fits into one piece is not split; one of 3 × 512 bytes takes three', () => {
  const sizesOf = (sizes: number[]) =>
    layOutQuantized(
      sizes.map((size, item) => ({ item, size, format: 'f32' as const })),
      512,
    ).map(({ parts }) => parts.map(({ item, length }) => [item, length]));
  expect(sizesOf([100, 60, 3])).toEqual([
    [[0, 100]],
    [
      [1, 60],
      [2, 3],
    ],
  ]);
  expect(sizesOf([384])).toEqual([[[0, 128]], [[0, 128]], [[0, 128]]]);
});
