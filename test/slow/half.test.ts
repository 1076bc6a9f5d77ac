import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { halfValue, roundHalf } from '#workers/codecs/half.js';
import { drawBits } from '#workers/codecs/random-bits.js';

const ALL_FINITE = Array.from({ length: 65536 }, (_, half) => half).filter(
  (half) => (half & 0x7c00) !== 0x7c00,
);

describe('fp16', () => {
  test('every finite value is itself, whatever the random bits', () => {
    for (const r of [0, 0x1fff, 0x1234_5678, 0xffff_ffff]) {
      expect(ALL_FINITE.filter((half) => roundHalf(halfValue(half), r) !== half)).toEqual([]);
    }
  });

  test.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
  ])('%s stands for %d', (half, value) => {
    expect(halfValue(half)).toBe(value);
  });

  test('a value between two goes to the one below or the one above, by the random bits', () => {
    const neighbours = (x: number) => {
      const below = halfValue(roundHalf(x, 0));
      return [below, halfValue(roundHalf(x, 0xffff_ffff))];
    };
    expect(neighbours(1.0004)).toEqual([1, 1 + 2 ** -10]);
    expect(neighbours(-1.0004)).toEqual([-1, -1 - 2 ** -10]);
    expect(neighbours(2 ** -24 * 2.5)).toEqual([2 ** -24 * 3, 2 ** -24 * 2]); // 24 bits against the fraction
    expect(neighbours(65503)).toEqual([65472, 65504]);
    expect(neighbours(2 ** -15 * 1.99999)).toEqual([2 ** -14, 2 ** -14 - 2 ** -24]);
  });
});

test('2⁻¹²⁶ is one place of 2⁻²⁴ by the smallest of 2²⁴ draws, and a subnormal float32 never', () => {
  expect([2 ** -126, 2 ** -127].map((x) => roundHalf(x, 0))).toEqual([1, 0]);
  expect(roundHalf(2 ** -126, 256)).toBe(0);
});

describe('random bits', () => {
  /** pcg4d as in the paper, with integers of any size. */
  function pcg4d(given: readonly bigint[]): number[] {
    const M = 0xffff_ffffn;
    let [x, y, z, w] = given.map((v) => (v * 1664525n + 1013904223n) & M) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    const mix = () => {
      x = (x + y * w) & M;
      y = (y + z * x) & M;
      z = (z + x * y) & M;
      w = (w + y * z) & M;
    };
    mix();
    x ^= x >> 16n;
    y ^= y >> 16n;
    z ^= z >> 16n;
    w ^= w >> 16n;
    mix();
    return [x, y, z, w].map(Number);
  }

  test('are pcg4d of block, variable, round and our seed', () => {
    const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
    fc.assert(
      fc.property(u32, u32, u32, (block, item, round) => {
        const out = new Uint32Array(4);
        drawBits(block, { item, round }, out);
        expect([...out]).toEqual(pcg4d([block, item, round, 0x736c_6f77].map(BigInt)));
      }),
    );
  });
});
