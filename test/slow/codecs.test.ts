import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { brainHalfValue, roundBrainHalf } from '#workers/codecs/brain-half.js';
import { int8Value, roundInt8 } from '#workers/codecs/block-int8.js';
import { CODECS } from '#workers/codecs/codec.js';
import {
  halfResidualValue,
  residualOffset,
  roundHalfResidual,
} from '#workers/codecs/half-residual.js';
import { fitsIn, GROUPS, type QuantizedFormat, storedBytes } from '#workers/codecs/value-format.js';

const FORMATS: readonly QuantizedFormat[] = ['f16r8', 'f16', 'bf16', 'int8'];
const DRAWS = [0, 0x1fff, 0x3fff, 0xffff, 0x1234_5678, 0xffff_ffff];

const floatOf = (bits: number) => new Float32Array(Uint32Array.of(bits).buffer)[0] as number;
const bitsOf = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0] as number;

const valueOf = (both: number) => halfResidualValue(both & 0xffff, (both << 8) >> 24);

function quantized(
  format: QuantizedFormat,
  values: Float32Array,
  start = 0,
  round = 5,
): Uint8Array {
  const into = new Uint8Array(storedBytes(format, values.length));
  CODECS[format].encode(values, into, start, { item: 1, round });
  return into;
}

function dequantized(format: QuantizedFormat, from: Uint8Array, length: number): Float32Array {
  const into = new Float32Array(length);
  CODECS[format].decode(from, into);
  return into;
}

const waves = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i) * 3);

test('bytes: 12 a four of f16r8, 8 a four of f16 and bf16, 260 a block of int8', () => {
  expect(FORMATS.map((format) => storedBytes(format, 1025))).toEqual([
    257 * 12,
    257 * 8,
    257 * 8,
    5 * 260,
  ]);
  expect(storedBytes('f32', 3)).toBe(12);
});

test('what has no place is known: fp16 ends at 65504, the others only at infinity', () => {
  expect(fitsIn('f16r8', Float32Array.of(65504, -65504, 0))).toBe(true);
  for (const format of ['f16', 'f16r8'] as const) {
    expect(fitsIn(format, Float32Array.of(65505))).toBe(false);
  }
  for (const format of ['bf16', 'int8'] as const) {
    expect(fitsIn(format, Float32Array.of(3.4028234663852886e38))).toBe(true);
  }
  for (const format of FORMATS) {
    for (const x of [Infinity, -Infinity, NaN])
      expect(fitsIn(format, Float32Array.of(1, x))).toBe(false);
  }
  expect(fitsIn('f32', Float32Array.of(NaN))).toBe(true);
});

describe('bf16', () => {
  test('every finite value is itself, whatever the random bits', () => {
    const finite = Array.from({ length: 65536 }, (_, half) => half).filter(
      (half) => (half & 0x7f80) !== 0x7f80,
    );
    for (const r of DRAWS) {
      const wrong = finite.filter((half) => roundBrainHalf(brainHalfValue(half), r) !== half);
      expect(wrong).toEqual([]);
    }
  });

  test('1 + 2⁻⁸ lies halfway between 1 and 1 + 2⁻⁷, and nothing becomes infinite', () => {
    const x = 1 + 2 ** -8;
    expect(brainHalfValue(roundBrainHalf(x, 0x7fff))).toBe(1);
    expect(brainHalfValue(roundBrainHalf(x, 0x8000))).toBe(1 + 2 ** -7);
    expect(brainHalfValue(roundBrainHalf(-3.4028234663852886e38, 0xffff))).toBe(
      floatOf(0xff7f_0000),
    );
  });
});

describe('fp16 with a residual', () => {
  test('every stored value is a float32 that is stored as itself, whatever the random bits', () => {
    for (let half = 0; half <= 0x7bff; half++) {
      // Of the normal range every exponent's ends, and two exponents whole.
      const isEnd = (half & 0x3ff) < 3 || (half & 0x3ff) > 0x3fc;
      if (half > 0x800 && !isEnd && half >> 10 !== 15) continue;
      // Under a power of two the fp16 below is nearer from half of a half place on.
      const lowest = half > 0x400 && (half & 0x3ff) === 0 ? -63 : -126;
      for (let q = half === 0 ? 0 : lowest; q <= 127; q++) {
        const x = halfResidualValue(half, q);
        if (x > 65504) continue;
        if (Math.fround(x) !== x) throw new Error(`${half} ${q} is no float32`);
        const r = DRAWS[(half + q + 127) % DRAWS.length] as number;
        if (roundHalfResidual(x, r) !== (half | ((q & 0xff) << 16)))
          throw new Error(`${half} ${q} does not stay`);
      }
    }
  });

  test('under 2⁻¹⁴, where a value lies between the steps of float32: the largest draw leads down, the smallest up', () => {
    const unit = 33 * 2 ** -37;
    for (let k = 3 * 2 ** 20; k < 4 * 2 ** 20; k += 37) {
      const x = k * 2 ** -44;
      const [below, above] = [0xffff, 0].map((r) => valueOf(roundHalfResidual(x, r))) as [
        number,
        number,
      ];
      if (below > x || above < x || above - below > unit)
        throw new Error(`${k}: ${below} ${above}`);
    }
  });

  test('64 units down from a power of two are 126 up from the fp16 below, which is the name', () => {
    const x = 2 - 4095 * 2 ** -23; // between −64 and −63 units
    expect(roundHalfResidual(x, 0xffff)).toBe(0x3fff | (126 << 16));
    expect(roundHalfResidual(x, 0)).toBe(0x4000 | ((-63 & 0xff) << 16));
    expect(halfResidualValue(0x3fff, 126)).toBe(halfResidualValue(0x4000, -64));
  });

  test('127 units are half a place: 4096 float32 steps', () => {
    expect([0, 1, -1, 126, 127, -127].map(residualOffset)).toEqual([0, 32, -32, 4064, 4096, -4096]);
    expect(halfResidualValue(0x3c00, 127)).toBe(1 + 2 ** -11);
    expect(halfResidualValue(0x3c00, -127)).toBe(1 - 2 ** -11);
    expect(halfResidualValue(0xbc00, 127)).toBe(-1 - 2 ** -11);
  });
});

describe('int8', () => {
  test('127 codes both ways, the largest as it is, each a float32 that is stored as itself', () => {
    for (const largest of [1, 3.14159, 65504, 1e-30, 3.4028234663852886e38].map(bitsOf)) {
      for (let q = -127; q <= 127; q++) {
        const x = int8Value(q, largest);
        expect(Math.fround(x)).toBe(x);
        for (const r of DRAWS) expect(int8Value(roundInt8(x, largest, r), largest)).toBe(x);
      }
      expect(int8Value(127, largest)).toBe(floatOf(largest));
    }
  });

  test('blocks of zeros, of subnormals, of one extreme, and a tail', () => {
    const values = new Float32Array(3 * 256 + 5);
    values.fill(1e-40, 256, 512);
    values[600] = -3.4028234663852886e38;
    values[601] = 1;
    values.set([1, -2, 0.5, 2, 0], 768);
    const back = dequantized('int8', quantized('int8', values), values.length);
    expect(back.subarray(0, 512).every((x) => x === 0)).toBe(true);
    expect([back[600], back[601]]).toEqual([-3.4028234663852886e38, 0]);
    expect([back[769], back[771], back[772]]).toEqual([-2, 2, 0]);
    expect(Math.abs((back[768] as number) - 1)).toBeLessThanOrEqual(2 / 127);
  });

  test('in a block whose largest is hardly normal, zeros and subnormals are 0, and 2⁻¹²⁶ is not', () => {
    const tiny = 2 ** -126;
    const back = (...values: number[]) => [
      ...dequantized('int8', quantized('int8', Float32Array.from(values)), values.length),
    ];
    expect(back(tiny, 0, tiny / 2)).toEqual([tiny, 0, 0]);
    expect(back(2 ** -110, 0, tiny / 2)).toEqual([2 ** -110, 0, 0]);
    // Half of the largest lies between 63 and 64 of 127 steps.
    const [, half = 0] = back(2 * tiny, tiny);
    expect(Math.abs(half / tiny - 1)).toBeLessThan(1 / 63);
  });

  test('2²³ times below the largest, one draw of 16384 is a step; 2²⁴ times, none', () => {
    const one = bitsOf(1);
    expect([0, 1].map((r) => roundInt8(2 ** -23, one, r))).toEqual([1, 0]);
    expect([0, 1].map((r) => roundInt8(-(2 ** -23), one, r))).toEqual([-1, -0]);
    expect(roundInt8(2 ** -24, one, 0)).toBe(0);
  });

  test('a block’s steps are a 127th of its largest, whatever the other blocks hold', () => {
    const values = waves(1024);
    values[700] = 1e6;
    const back = dequantized('int8', quantized('int8', values), 1024);
    const errorIn = (from: number) =>
      Math.max(
        ...back
          .subarray(from, from + 256)
          .map((x, i) => Math.abs(x - (values[from + i] as number))),
      );
    expect([0, 256, 768].map((from) => errorIn(from) < 3 / 126)).toEqual([true, true, true]);
    expect(back[700]).toBe(1e6);
  });
});

describe.each(FORMATS)('%s', (format) => {
  test('where a variable is cut does not matter, and rounds draw differently', () => {
    const { elements } = GROUPS[format];
    const values = waves(1500);
    const whole = quantized(format, values);
    for (const cut of [elements, 512, 1280]) {
      const both = [
        quantized(format, values.subarray(0, cut)),
        quantized(format, values.subarray(cut), cut),
      ];
      expect(Buffer.concat(both).equals(whole)).toBe(true);
    }
    expect(quantized(format, values, 0, 6)).not.toEqual(whole);
  });

  test('what was stored is stored as itself, whatever the round', () => {
    const float = fc.float({ noNaN: true, min: -65504, max: 65504, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(float, { maxLength: 300 }), fc.nat(1000), (given, round) => {
        const values = Float32Array.from(given, (x) => (Math.abs(x) < 1e-30 ? 0 : x));
        const once = dequantized(format, quantized(format, values, 0, round), values.length);
        const twice = dequantized(format, quantized(format, once, 0, round + 1), values.length);
        expect(twice).toEqual(once);
      }),
    );
  });
});
