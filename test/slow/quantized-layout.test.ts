import fc from 'fast-check';
import { expect, test } from 'vitest';

import {
  layOutQuantized,
  pieceRuns,
  type QuantizedItem,
  stagedPieceBytes,
  stagingBytesOf,
} from '#src/slow/quantized-layout.js';
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

/** [item, start, length, offset] of each part, with the bytes of the run and how often it is repeated. */
const runsOf = (items: readonly Omit<QuantizedItem<number>, 'item'>[], pieceBytes: number) =>
  [
    ...pieceRuns(
      items.map((one, item) => ({ ...one, item })),
      pieceBytes,
    ),
  ].map(({ parts, bytes, times }) => [
    parts.map(({ item, start, length, offset }) => [item, start, length, offset]),
    bytes,
    times,
  ]);

test('equal pieces of one variable are one run: 300 float32 in pieces of 128', () => {
  expect(runsOf([{ format: 'f32', size: 300 }], 512)).toEqual([
    [[[0, 0, 128, 0]], 512, 2],
    [[[0, 256, 44, 0]], 256, 1],
  ]);
  expect(layOutQuantized([{ item: 0, format: 'f32', size: 300 }], 512)).toEqual(
    [0, 128, 256].map((start) => ({
      parts: [{ item: 0, format: 'f32', start, length: start < 256 ? 128 : 44, offset: 0 }],
      bytes: start < 256 ? 512 : 256,
    })),
  );
});

test('a rest shares its piece with the variables behind it, which begin at multiples of 256 bytes', () => {
  const items = [140, 0, 64, 1].map((size) => ({ format: 'f32' as const, size }));
  expect(runsOf(items, 512)).toEqual([
    [[[0, 0, 128, 0]], 512, 1],
    // 12 × 4 bytes take 256, and 64 × 4 fill the piece.
    [
      [
        [0, 128, 12, 0],
        [2, 0, 64, 256],
      ],
      512,
      1,
    ],
    [[[3, 0, 1, 0]], 256, 1],
  ]);
  expect(runsOf([], 512)).toEqual([]);
});

test('a cut comes where a variable can be bound, but what fits whole is not cut', () => {
  // 512 bytes hold 42 groups of 4 × 3 bytes, 168 elements; cuts come at multiples of 64.
  const at = (size: number) => runsOf([{ format: 'f16r8', size }], 512);
  expect(at(168)).toEqual([[[[0, 0, 168, 0]], 512, 1]]);
  expect(at(169)).toEqual([
    [[[0, 0, 128, 0]], 512, 1],
    [[[0, 128, 41, 0]], 256, 1],
  ]);
  // 1024 bytes hold three blocks of 260 bytes.
  expect(runsOf([{ format: 'int8', size: 1000 }], 1024)).toEqual([
    [[[0, 0, 768, 0]], 1024, 1],
    [[[0, 768, 232, 0]], 512, 1],
  ]);
});

test('the size of a piece is rounded down to a multiple of 512 bytes, and is 512 at least', () => {
  const lengths = (pieceBytes: number) => runsOf([{ format: 'f32', size: 256 }], pieceBytes).length;
  expect([1, 511, 1023, 1024].map(lengths)).toEqual([2, 2, 2, 1]);
});

test('staging takes a 20th of the weights in four pieces, or 1 MiB if that is more', () => {
  const MiB = 2 ** 20;
  expect(stagedPieceBytes(400 * MiB, 64 * MiB)).toBe(5 * MiB);
  expect(stagedPieceBytes(8 * MiB, 64 * MiB)).toBe(MiB / 4);
  expect(stagedPieceBytes(400 * MiB, 2 * MiB)).toBe(2 * MiB);
});

test('each of up to four staging buffers holds the largest piece', () => {
  expect(stagingBytesOf([])).toBe(0);
  expect(stagingBytesOf([{ bytes: 100 }])).toBe(100);
  expect(stagingBytesOf([{ bytes: 50 }, { bytes: 100 }, { bytes: 20 }])).toBe(300);
  expect(stagingBytesOf([{ bytes: 100, times: 2 }, { bytes: 50 }])).toBe(300);
  expect(stagingBytesOf([{ bytes: 100, times: 9 }, { bytes: 50 }])).toBe(400);
});
