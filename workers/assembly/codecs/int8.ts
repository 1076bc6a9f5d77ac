// Float32 ⇄ 127ths of a block's largest magnitude, the same bits as ../../codecs/block-int8.ts.
// from, to: byte positions; n: weights; start: the first element within its variable; item, round: the draw.
//
// Whole numbers below 2²⁴ are float32 here, which is exact. The grid of `top`, the largest mantissa, is
// ⌊q·top / 127⌋ = q·⌊top / 127⌋ + ⌊q·(top mod 127) / 127⌋; a 254th more keeps the second quotient from falling below a whole
// number by its rounding.
import { Draws } from './draws';
import { loadEnd, storeEnd32, storeEnd8 } from './ends';

const A_254TH: f32 = 1 / 254;
/** 2²³: a sum with it has a whole number below 2²³ in its lower bits. */
const WHOLE: f32 = 8388608;

function mantissaOf(magnitude: u32): u32 {
  return (magnitude & 0x7fffff) | 0x800000;
}

function largestOf(from: usize, n: u32): u32 {
  const magnitude = i32x4.splat(0x7fffffff);
  let most = i32x4.splat(0);
  let i: u32 = 0;
  for (; i + 4 <= n; i += 4) {
    most = i32x4.max_s(most, v128.and(v128.load(from), magnitude));
    from += 16;
  }
  if (i < n) most = i32x4.max_s(most, v128.and(loadEnd(from, n - i), magnitude));
  most = i32x4.max_s(most, v128.shuffle<i32>(most, most, 2, 3, 0, 1));
  most = i32x4.max_s(most, v128.shuffle<i32>(most, most, 1, 0, 3, 2));
  const largest = i32x4.extract_lane(most, 0);
  return largest < 0x800000 ? 0 : largest;
}

class Int8 {
  @inline
  static value(from: usize, step: v128, part: v128, place: v128, unit: v128, minus: v128): v128 {
    const code = i16x8.extend_low_i8x16_s(v128.load32_zero(from));
    const q = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(code));
    const magnitude = f32x4.abs(q);
    const quotient = f32x4.mul(magnitude, part);
    const carry = f32x4.floor(f32x4.add(quotient, f32x4.splat(A_254TH)));
    const grid = f32x4.add(f32x4.mul(magnitude, step), carry);
    return v128.or(f32x4.mul(f32x4.mul(grid, place), unit), v128.and(q, minus));
  }

  /** Of four, with 2²³ more, as the bits of a float32 from 2²³ on. What it is stands at packBlock. */
  @inline
  static position(v: v128, perPlace: v128, r: v128): v128 {
    const m = v128.and(v, i32x4.splat(0x7fffffff));
    const sum = f32x4.add(f32x4.mul(m, perPlace), f32x4.splat(WHOLE));
    return i32x4.sub(sum, v128.and(r, i32x4.splat(0x3fff)));
  }

  @inline
  static isNear(position: v128): v128 {
    const within = v128.and(i32x4.add(position, i32x4.splat(2)), i32x4.splat(0x3fff));
    return i32x4.lt_s(within, i32x4.splat(5));
  }

  /** The lowest byte of each, in the first word. */
  @inline
  static code(position: v128, v: v128): v128 {
    const magnitude = i32x4.shr_u(i32x4.add(position, i32x4.splat(0x3fff)), 14);
    return Int8.signed(magnitude, v);
  }

  @inline
  static signed(magnitude: v128, v: v128): v128 {
    const sign = i32x4.shr_s(v, 31);
    const code = i32x4.sub(v128.xor(magnitude, sign), sign);
    return v128.swizzle(code, i8x16(0, 4, 8, 12, 0, 0, 0, 0, 0, 4, 8, 12, 0, 0, 0, 0));
  }
}

/** Any four, in the first word and in the third. */
function packExactly(v: v128, r: v128, largest: u32): v128 {
  const top = mantissaOf(largest);
  const step = f32x4.splat(<f32>(top / 127));
  const part = f32x4.splat(<f32>(top % 127) / 127);
  const part1 = f32x4.splat(<f32>(top % 127) / 127 + A_254TH);
  // Of a largest mantissa of 2²³ … 2²⁴; in two steps where one factor would be infinite.
  const exponent = largest >>> 23;
  const lift: u32 = exponent < 24 ? 64 : 0;
  let m = v128.and(v, i32x4.splat(0x7fffffff));
  m = v128.and(m, i32x4.ge_s(m, i32x4.splat(0x800000)));
  m = f32x4.mul(m, i32x4.splat((127 + lift) << 23));
  const whole = f32x4.floor(f32x4.mul(m, i32x4.splat((127 + 150 - lift - exponent) << 23)));
  // Less than 127 / top by more than all roundings, so that q is the right one or the one below.
  let q = f32x4.floor(f32x4.mul(whole, f32x4.splat((<f32>127 / <f32>top) * <f32>0.9999995)));
  let gap: v128;
  let above: v128;
  for (;;) {
    const quotient = f32x4.mul(q, part);
    const carry = f32x4.floor(f32x4.add(quotient, f32x4.splat(A_254TH)));
    const carry1 = f32x4.floor(f32x4.add(quotient, part1));
    gap = f32x4.add(f32x4.sub(carry1, carry), step);
    above = f32x4.sub(whole, f32x4.add(f32x4.mul(q, step), carry));
    const isBelow = f32x4.ge(above, gap);
    if (i32x4.bitmask(isBelow) == 0) break; // in the second round at the latest
    q = f32x4.add(q, v128.and(isBelow, f32x4.splat(1)));
  }
  const places = v128.and(f32x4.add(gap, f32x4.splat(WHOLE)), i32x4.splat(0x7fffff));
  const chance = i32x4.mul(v128.and(r, i32x4.splat(0x3fff)), places);
  const stays = i32x4.ge_u(chance, i32x4.shl(f32x4.add(above, f32x4.splat(WHOLE)), 14));
  const magnitude = i32x4.add(f32x4.add(q, f32x4.splat(WHOLE + 1)), stays); // −1 where it is true
  return Int8.signed(magnitude, v);
}

/**
 * The code is ⌈P − r/2¹⁴⌉ for 14 random bits r, where P lies between q and q + 1 as the value lies between their grid
 * points. 127·|v| / largest is P but for less than 2/66051, since grid points and values are rounded down to whole places,
 * and 66051 of them are the least distance of two points. In 2⁻¹⁴ and with the roundings of float32, that is less than 1.4 from
 * P. So the code is sure unless the position P·2¹⁴ − r is within 2 of a multiple of 2¹⁴, which is rare.
 */
function packBlock(from: usize, to: usize, n: u32, largest: u32, block: u32, y: u32, z: u32): void {
  const perPlace = f32x4.splat(<f32>(127 << 14) / reinterpret<f32>(largest));
  let i: u32 = 0;
  // The quotient of the smallest largest magnitudes would be infinite.
  if (largest >>> 23 >= 24) {
    for (; i + 16 <= n; i += 16) {
      Draws.words(block + (i >>> 2), y, z);
      const v0 = v128.load(from);
      const v1 = v128.load(from, 16);
      const v2 = v128.load(from, 32);
      const v3 = v128.load(from, 48);
      const a = Int8.position(v0, perPlace, Draws.a);
      const b = Int8.position(v1, perPlace, Draws.b);
      const c = Int8.position(v2, perPlace, Draws.c);
      const d = Int8.position(v3, perPlace, Draws.d);
      const isNear = v128.or(
        v128.or(Int8.isNear(a), Int8.isNear(b)),
        v128.or(Int8.isNear(c), Int8.isNear(d)),
      );
      if (i32x4.bitmask(isNear) == 0) {
        v128.store32_lane(to, Int8.code(a, v0), 0);
        v128.store32_lane(to, Int8.code(b, v1), 0, 4);
        v128.store32_lane(to, Int8.code(c, v2), 0, 8);
        v128.store32_lane(to, Int8.code(d, v3), 0, 12);
      } else {
        v128.store32_lane(to, packExactly(v0, Draws.a, largest), 0);
        v128.store32_lane(to, packExactly(v1, Draws.b, largest), 0, 4);
        v128.store32_lane(to, packExactly(v2, Draws.c, largest), 0, 8);
        v128.store32_lane(to, packExactly(v3, Draws.d, largest), 0, 12);
      }
      from += 64;
      to += 16;
    }
  }
  for (; i < n; i += 4) {
    if ((i & 12) == 0) Draws.words(block + (i >>> 2), y, z);
    else Draws.shift();
    const left = n - i;
    const v = left >= 4 ? v128.load(from) : loadEnd(from, left);
    const code = packExactly(v, Draws.a, largest);
    if (left >= 4) v128.store32_lane(to, code, 0);
    else storeEnd8(to, code, left);
    from += 16;
    to += 4;
  }
}

export function pack(from: usize, to: usize, n: u32, start: u32, item: u32, round: u32): void {
  for (let at: u32 = 0; at < n; at += 256) {
    const length = min<u32>(256, n - at);
    const largest = largestOf(from, length);
    store<u32>(to, largest);
    if (largest == 0) memory.fill(to + 4, 0, length);
    else {
      const block = (start + at) >>> 2;
      packBlock(from, to + 4, length, largest, block, Draws.key(item), Draws.key(round));
    }
    from += 1024;
    to += 260;
  }
}

export function unpack(from: usize, to: usize, n: u32): void {
  for (let at: u32 = 0; at < n; at += 256) {
    const length = min<u32>(256, n - at);
    const largest = load<u32>(from);
    const top = mantissaOf(largest);
    const step = f32x4.splat(<f32>(top / 127));
    const part = f32x4.splat(<f32>(top % 127) / 127);
    // The last place, in two steps: it can be subnormal, and then only the product may be rounded.
    const place = f32x4.splat(largest == 0 ? 0 : 1.1920928955078125e-7);
    const unit = i32x4.splat(largest & 0x7f800000);
    const minus = i32x4.splat(largest == 0 ? 0 : 0x80000000);
    from += 4;
    let i: u32 = 0;
    for (; i + 4 <= length; i += 4) {
      v128.store(to, Int8.value(from + i, step, part, place, unit, minus));
      to += 16;
    }
    if (i < length) {
      storeEnd32(to, Int8.value(from + i, step, part, place, unit, minus), length - i);
    }
    from += 256;
  }
}
