// What the meter of stalled weights says of samples: the arithmetic, and that chance never convinces it.

import { expect, test } from 'vitest';

import { type StallSample, StallMeter } from '#src/slow/stall.js';
import { CODECS } from '#workers/codecs/codec.js';
import { type PackedFormat, packedBytes } from '#workers/codecs/value-format.js';

/** A unit in the last place of float32 between 64 and 128. */
const ULP = 2 ** -17;

/** Of `size` elements at 100 a sync wants `wanted` units each and shows `shown`. */
function moved(size: number, wanted: number, shown: number): StallSample {
  return {
    format: 'f32',
    stepSize: 0.25,
    fast: new Float32Array(size).fill(100 + 4 * wanted * ULP),
    before: new Float32Array(size).fill(100),
    after: new Float32Array(size).fill(100 + shown * ULP),
  };
}

function after(...samples: StallSample[]): StallMeter {
  const meter = new StallMeter();
  for (const sample of samples) meter.add([sample]);
  return meter;
}

test('the share is the movement that is missing, in the direction wanted', () => {
  expect(after(moved(10, 2, 2)).share).toBe(0);
  expect(after(moved(10, 2, 1)).share).toBe(0.5);
  expect(after(moved(10, -2, -1)).share).toBe(0.5);
  expect(after(moved(10, 2, 0))).toMatchObject({ share: 1, unmoved: 1, samples: 10 });
  expect(after(moved(10, 2, 3)).share).toBe(-0.5);
  expect(after(moved(10, 2, -2)).share).toBe(2);
  // 99 of 100 show nothing, and one shows the movement of all of them.
  const meter = new StallMeter();
  meter.add([moved(99, 0.25, 0), moved(1, 0.25, 25)]);
  expect(meter).toMatchObject({ share: 0, unmoved: 0.99, samples: 100, proved: 0 });
});

test('α = 0, equal weights and what is not finite do not count', () => {
  const none = { ...moved(10, 2, 0), stepSize: 0 };
  const nan = { ...moved(10, 2, 0), fast: new Float32Array(10).fill(NaN) };
  const infinite = { ...moved(10, 2, 0), fast: new Float32Array(10).fill(Infinity) };
  const meter = after(none, nan, infinite, moved(10, 0, 0));
  expect(meter).toMatchObject({ share: 0, unmoved: 0, samples: 0, proved: 0 });
  meter.add([]);
  meter.add([moved(10, 2, 2)]);
  expect(meter).toMatchObject({ share: 0, samples: 10 });
});

test('the proof: what is lost, less what chance may lose', () => {
  // Each of n elements wants ¼ unit and gets none: lost n/4, variance ¼·¾·n, at most ¼ each.
  const bound = (n: number) => {
    const third = (0.25 * 20) / 3;
    return 1 - (third + Math.sqrt(third ** 2 + 2 * 20 * 0.1875 * n)) / (n / 4);
  };
  expect(bound(100)).toBeLessThan(0);
  expect(after(moved(100, 0.25, 0)).proved).toBe(0);
  expect(after(moved(1000, 0.25, 0)).proved).toBeCloseTo(bound(1000), 10); // 65 %
  // One weight alone, or a few, prove nothing yet.
  expect(after(moved(1, 0.25, 0)).proved).toBe(0);
  expect(after(moved(1, 0.5, 0)).proved).toBe(0);
});

test('the last syncs count: after a stall of 300, movement that shows again clears it', () => {
  const meter = after(...Array.from({ length: 300 }, () => moved(100, 0.25, 0)));
  expect(meter.proved).toBeGreaterThan(0.9);
  for (let i = 0; i < 300; i++) meter.add([moved(100, 4, 4)]);
  expect(meter.share).toBeLessThan(0.05);
});

test('weights that have converged and hover about one place are not judged', () => {
  const meter = after(...Array.from({ length: 100 }, () => moved(100, 40_000, 40_000)));
  for (let i = 0; i < 3000; i++) meter.add([moved(100, 0.5, 0)]);
  expect(meter.share).toBeGreaterThan(0.9);
  expect(meter.proved).toBe(0);
});

/** The same uniform numbers on every run. */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A place of each format between 1 and 2; of int8 in a block whose largest magnitude is nearly that. */
const PLACE: Record<PackedFormat, number> = {
  f16r8: 2 ** -10 / 254,
  f16: 2 ** -10,
  bf16: 2 ** -7,
  int8: 2 / 127,
};

/**
 * The largest proof in `syncs` syncs, of elements from 1 to 2 that a sync wants to move by `ratio` places in the mean,
 * with the draws of the codec; and the same by 3 standard deviations of the samples.
 */
function simulated(format: PackedFormat, elements: number, ratio: number, syncs: number) {
  const random = uniform(elements + Math.round(1 / ratio));
  const stored = (values: Float32Array, round: number) => {
    const packed = new Uint8Array(packedBytes(format, elements));
    CODECS[format].encode(values, packed, 0, { item: 7, round });
    const back = new Float32Array(elements);
    CODECS[format].decode(packed, back);
    return back;
  };
  const start = Float32Array.from({ length: elements }, () => 1 + random());
  const towards = start.map(() => (random() < 0.5 ? -1 : 1));
  const meter = new StallMeter();
  const naive = { wanted: 0, lost: 0, squares: 0 };
  let [proved, byDeviation] = [0, 0];
  let before = stored(start, 0);
  for (let round = 1; round <= syncs; round++) {
    const fast = before.map((s, i) => s + 2 * towards[i]! * ratio * PLACE[format] * 2 * random());
    const rounded = stored(
      before.map((s, i) => s + 0.5 * (fast[i]! - s)),
      round,
    );
    meter.add([{ format, stepSize: 0.5, fast, before, after: rounded }]);
    for (const [i, s] of before.entries()) {
      const wanted = 0.5 * (fast[i]! - s);
      const missing = wanted - (rounded[i]! - s);
      naive.wanted += Math.abs(wanted);
      naive.lost += missing * Math.sign(wanted);
      naive.squares += missing ** 2;
    }
    proved = Math.max(proved, meter.proved);
    const { wanted, lost, squares } = naive;
    byDeviation = Math.max(byDeviation, (lost - 3 * Math.sqrt(squares)) / wanted);
    // Those that have left the range begin anew.
    before = rounded.every((x) => x >= 0.5 && x <= 3) ? rounded : stored(start, round);
  }
  return { proved, byDeviation };
}

// f16r8 has places of 32 float32s: less than a 64th of one is lost in float32 already, which is a stall.
const CASES = (['f16', 'bf16', 'int8', 'f16r8'] as const).flatMap((format) =>
  [4, 256].flatMap((elements) =>
    [1e-4, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.9, 0.99, 1.5, 3.3, 10]
      .filter((ratio) => format !== 'f16r8' || ratio >= 0.1)
      .map((ratio) => [format, elements, ratio] as const),
  ),
);

test('stochastic rounding never convinces it, of 10⁻⁴ to 10 places a sync', () => {
  for (const [format, elements, ratio] of CASES) {
    const { proved } = simulated(format, elements, ratio, 150);
    expect(proved, `${format}, ${elements} elements, ${ratio} places`).toBeLessThan(0.01);
  }
});

test('the variance of the samples would be convinced: none has moved yet where one in 10,000 will', () => {
  const { proved, byDeviation } = simulated('f16', 256, 1e-4, 5);
  expect(byDeviation).toBeGreaterThan(0.5);
  expect(proved).toBe(0);
});

test.each([
  [0.49, 1],
  [0.25, 1],
  [0.1, 2],
  [0.01, 20],
])('rounding to nearest at %f of a place: proved within %d syncs', (ratio, syncs) => {
  const meter = new StallMeter();
  const size = 1024;
  const place = PLACE.bf16;
  const before = new Float32Array(size).fill(1 + place);
  const fast = before.map((s, i) => s + (i % 2 === 0 ? 2 : -2) * ratio * place);
  let needed = 0;
  while (meter.proved <= 0.5 && needed < 1000) {
    meter.add([{ format: 'bf16', stepSize: 0.5, fast, before, after: before }]);
    needed++;
  }
  expect(needed).toBeLessThanOrEqual(syncs);
});
