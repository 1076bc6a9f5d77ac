// A blend of finite values is finite, whatever they are: fast − slow may not have a place in float32.

import { describe, expect, test } from 'vitest';

import { SLOW_FORMATS } from '#src/slow/slow-format.js';

import { onEveryEngine } from '../engines.js';
import { blendOf, extremePairs, notFinite, STEP_SIZES } from '../extremes.js';

const SHAPE = [64, 65];

onEveryEngine(() => {
  describe.each(SLOW_FORMATS)('%s', (slow) => {
    test.each(STEP_SIZES)('α = %d: finite in, finite out, and inline the same bits', async (a) => {
      const pairs = extremePairs(64 * 65);
      const options = { slow, slowStepSize: a, workers: 0 };
      const after = await blendOf(pairs, SHAPE, options);
      expect([notFinite(after.fast), notFinite(after.slow)]).toEqual([[], []]);
      expect(await blendOf(pairs, SHAPE, { ...options, sync: 'inline' })).toEqual(after);
      if (slow === 'host:f32') {
        const exact = pairs.slow.map((s, i) => {
          const f = pairs.fast[i] as number;
          return a === 1 ? f : a === 0 || f === s ? s : s + a * (f - s); // rounded once
        });
        expect(after.fast).toEqual([...exact]);
        expect(await blendOf(pairs, SHAPE, { ...options, workers: 1 })).toEqual(after);
      }
      if (slow === 'device:f32') {
        const wrong = after.fast.filter((r, i) => {
          const [s, f] = [pairs.slow[i] as number, pairs.fast[i] as number];
          const larger = Math.max(Math.abs(s), Math.abs(f), 2 ** -125);
          return Math.abs(r - (s + a * (f - s))) > 2 ** -22 * larger;
        });
        expect(wrong).toEqual([]);
      }
    });
  });

  test('−3.4e38 and 3.4e38 by .5 is 0, by .3 −1.36e38', async () => {
    const pair = { slow: Float32Array.of(-3.4e38), fast: Float32Array.of(3.4e38) };
    for (const slow of ['host:f32', 'device:f32'] as const) {
      expect((await blendOf(pair, [1], { slow, slowStepSize: 0.5 })).fast).toEqual([0]);
      const [r = NaN] = (await blendOf(pair, [1], { slow, slowStepSize: 0.3 })).fast;
      expect(r / -1.36e38).toBeCloseTo(1, 6);
    }
  });
});
