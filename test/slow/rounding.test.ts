// Rounding tried many times: that its mean is the value, and that what is stored stays. Slow for a test of codecs.

import { expect, test } from 'vitest';

import { brainHalfValue, roundBrainHalf } from '#workers/codecs/brain-half.js';
import { int8Value, roundInt8 } from '#workers/codecs/block-int8.js';
import { halfResidualValue, roundHalfResidual } from '#workers/codecs/half-residual.js';
import { halfValue, roundHalf } from '#workers/codecs/half.js';
import { drawBits } from '#workers/codecs/random-bits.js';

const bitsOf = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0] as number;
const valueOf = (both: number) => halfResidualValue(both & 0xffff, (both << 8) >> 24);

/** The value of `x` once it was rounded by `r`. */
const ROUNDED: Record<string, (x: number) => (r: number) => number> = {
  f16r8: (x) => (r) => valueOf(roundHalfResidual(x, r)),
  f16: (x) => (r) => halfValue(roundHalf(x, r)),
  bf16: (x) => (r) => brainHalfValue(roundBrainHalf(x, r)),
  int8(x) {
    const largest = bitsOf(Math.abs(x * 1.3));
    return (r) => int8Value(roundInt8(x, largest, r), largest);
  },
};

test.each(Object.keys(ROUNDED))(
  '%s: the mean of 100,000 roundings is the value, within 3 standard errors',
  (format) => {
    const random = new Uint32Array(4);
    for (const x of [0.1, -3.14159, 1.0004, 1e-5, -6.1e-5, 3e-6, 3e-8, 6.1e-5, 1234.567, 65500].map(
      Math.fround,
    )) {
      const rounded = ROUNDED[format]?.(x) as (r: number) => number;
      let [sum, squares] = [0, 0];
      const draws = 100_000;
      for (let i = 0; i < draws; i++) {
        if (i % 4 === 0) drawBits(i / 4, { item: 3, round: 7 }, random);
        const error = rounded(random[i % 4] as number) - x;
        sum += error;
        squares += error ** 2;
      }
      expect(squares).toBeGreaterThan(0);
      expect(Math.abs(sum / draws)).toBeLessThanOrEqual(3 * Math.sqrt(squares / draws / draws));
    }
  },
);

test('f16r8: the residual is within a 254th of a place of the value, for all mantissas of some exponents', () => {
  const bits = new Uint32Array(1);
  const view = new Float32Array(bits.buffer);
  for (const exponent of [112, 127]) {
    for (let mantissa = 0; mantissa < 2 ** 23; mantissa += exponent === 127 ? 1 : 7) {
      bits[0] = (exponent << 23) | mantissa;
      const x = view[0] as number;
      const stored = roundHalfResidual(x, Math.imul(mantissa, 0x9e37_79b1));
      const half = halfValue(stored & 0xffff);
      // Of the nearest fp16, which just below 2 is 2; and 2⁻²⁴ is the smallest place there is.
      const place = exponent === 112 ? 2 ** -24 : x > 2 - 2 ** -11 ? 2 ** -9 : 2 ** -10;
      const error = Math.abs(valueOf(stored) - x);
      // The unit is 32 or 33 float32 steps.
      if (error > (place * 33) / 8192) throw new Error(`${x} became ${valueOf(stored)}`);
      if (Math.abs(x - half) > place * (1 / 2 + 33 / 8192))
        throw new Error(`${x} is far from ${half}`);
    }
  }
});
