// The search for the largest count that fits: few tries, none twice, and always an end.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { type Answer, searchLargest } from '#src/cli/bench/fit/search.js';

/** Searches with `answer`; what was found, and the counts that were tried. */
async function search(
  answer: (count: number) => Answer,
  { guess = null, max = 1000 }: { guess?: number | null; max?: number } = {},
) {
  const tried: number[] = [];
  const tryCount = async (count: number) => {
    tried.push(count);
    return answer(count);
  };
  return { ...(await searchLargest(tryCount, { guess, max })), tried };
}

const upTo =
  (limit: number) =>
  (count: number): Answer =>
    count <= limit ? 'fits' : 'too many';

describe('by example', () => {
  test('without a guess: doubling, then halves', async () => {
    expect(await search(upTo(11))).toEqual({
      most: 11,
      isLargest: true,
      tried: [1, 2, 4, 8, 16, 12, 10, 11],
    });
  });

  test('a right guess takes two tries', async () => {
    const found = await search(upTo(38), { guess: 38 });
    expect(found).toEqual({ most: 38, isLargest: true, tried: [38, 39] });
  });

  test('a guess that is too low goes up in strides of 1, 2, 4; one too high down', async () => {
    expect((await search(upTo(41), { guess: 38 })).tried).toEqual([38, 39, 41, 45, 43, 42]);
    expect((await search(upTo(35), { guess: 38 })).tried).toEqual([38, 37, 35, 36]);
  });

  test('nothing fits: 0, and 1 was tried', async () => {
    const found = await search(upTo(0), { guess: 6 });
    expect(found).toEqual({ most: 0, isLargest: true, tried: [6, 5, 3, 1] });
  });

  test('all that is allowed fits: not known to be the largest', async () => {
    const found = await search(upTo(Infinity), { max: 6 });
    expect(found).toEqual({ most: 6, isLargest: false, tried: [1, 2, 4, 6] });
  });

  test('a guess beyond what is allowed, and below it', async () => {
    expect((await search(upTo(Infinity), { guess: 50, max: 9 })).tried).toEqual([9]);
    expect((await search(upTo(1), { guess: 0 })).tried).toEqual([1, 2]);
  });

  test('a try that says stop ends it with what had fitted by then', async () => {
    const answer = (count: number): Answer => (count === 8 ? 'stop' : upTo(11)(count));
    expect(await search(answer)).toEqual({ most: 4, isLargest: false, tried: [1, 2, 4, 8] });
  });

  test('a try that throws ends it too', async () => {
    const answer = (): Answer => {
      throw new Error('the machine is gone');
    };
    await expect(search(answer)).rejects.toThrow('the machine is gone');
  });
});

describe('by property', () => {
  const counts = fc.integer({ min: 0, max: 500 });
  const maxima = fc.integer({ min: 1, max: 400 });
  const guesses = fc.option(fc.integer({ min: 0, max: 600 }));

  test('finds the limit, in at most twice as many tries as halving would take', async () => {
    await fc.assert(
      fc.asyncProperty(counts, maxima, guesses, async (limit, max, guess) => {
        const { most, isLargest, tried } = await search(upTo(limit), { guess, max });
        expect(most).toBe(Math.min(limit, max));
        expect(isLargest).toBe(limit < max);
        expect(new Set(tried).size).toBe(tried.length);
        expect(tried.length).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(max)) + 2);
      }),
    );
  });

  test('answers without an order: ends where one fits and the next, which was tried, does not', async () => {
    const noise = fc.array(fc.boolean(), { minLength: 401, maxLength: 401 });
    await fc.assert(
      fc.asyncProperty(noise, maxima, guesses, async (fits, max, guess) => {
        const answer = (count: number): Answer => (fits[count] === true ? 'fits' : 'too many');
        const { most, isLargest, tried } = await search(answer, { guess, max });
        expect(new Set(tried).size).toBe(tried.length);
        expect(tried.every((count) => count >= 1 && count <= max)).toBe(true);
        if (most > 0) {
          expect(tried).toContain(most);
          expect(fits[most]).toBe(true);
        }
        expect(isLargest).toBe(most < max);
        if (!isLargest) return;
        expect(tried).toContain(most + 1);
        expect(fits[most + 1]).toBe(false);
      }),
    );
  });
});
