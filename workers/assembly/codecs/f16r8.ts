// Float32 ⇄ fp16 and a residual of 8 bits, the same bits as ../../codecs/half-residual.ts.
// from, to: byte positions; n: weights; start: the first element within its variable; item, round: the draw.
import { Draws } from './draws';
import { loadEnd, storeEnd16, storeEnd32, storeEnd8 } from './ends';
import { Signed } from './signed';

class Residual {
  /**
   * The fp16 of eight magnitudes, rounded down, and in 0 … 8191 what is above it, in float32 steps: `lowerOf`.
   * What lies above the largest fp16 by half a place or more has its fp16 and the largest residual.
   */
  @inline
  static magnitude(v: v128): v128 {
    return i32x4.min_s(v128.and(v, i32x4.splat(0x7fffffff)), i32x4.splat(0x477ff000));
  }

  @inline
  static halfOf(m: v128, n: v128): v128 {
    const bias = i32x4.splat(0x1c000);
    return i16x8.narrow_i32x4_u(
      i32x4.sub(i32x4.shr_u(m, 13), bias),
      i32x4.sub(i32x4.shr_u(n, 13), bias),
    );
  }

  @inline
  static lowerOf(m: v128, n: v128): v128 {
    const lower = i32x4.splat(0x1fff);
    return i16x8.narrow_i32x4_u(v128.and(m, lower), v128.and(n, lower));
  }

  /** The offset ⌊(4096q + 63) / 127⌋ without 32q: 129·2⁻⁹ is near enough to 32/127 for q = 0 … 255, and 256 rounds. */
  @inline
  static offsetRest(q: v128): v128 {
    const product = i16x8.mul(q, i16x8.splat(129));
    return i16x8.shr_u(i16x8.add(product, i16x8.splat(256)), 9);
  }

  /** Where `half` is subnormal, or may be rounded up to a power of two, under which steps have half the size. */
  @inline
  static isRare(half: v128): v128 {
    const mantissa = i16x8.splat(0x3ff);
    return v128.or(
      i16x8.eq(v128.and(half, mantissa), mantissa),
      i16x8.lt_s(half, i16x8.splat(0x400)),
    );
  }

  /**
   * The residuals of eight, counted from the fp16 below: 0 … 254, of which those above 127 count back from the fp16 above.
   *
   * The last one whose offset is not above `lower` is ⌊(127·lower + 63) / 4096⌋. A 128th of `lower`, rounded, is taken from it
   * first, so that 16 bits are enough.
   */
  @inline
  static round(lower: v128, r: v128): v128 {
    const part = i16x8.shr_u(i16x8.add(lower, i16x8.splat(64)), 7);
    const q = i16x8.shr_u(i16x8.sub(lower, part), 5);
    const rest = Residual.offsetRest(q);
    const above = i16x8.sub(lower, i16x8.add(i16x8.shl(q, 5), rest));
    // From here to the next offset it is 32 steps, or 33. ⌊r·32 / 2¹⁶⌋ is r >> 11, and r·33 has a carry more if the lower
    // 16 bits of r·32 and r have one: if their sum is below r.
    const one = i16x8.sub(Residual.offsetRest(i16x8.add(q, i16x8.splat(1))), rest);
    const hasNoCarry = i16x8.ge_u(i16x8.add(i16x8.shl(r, 5), r), r);
    const chance = i16x8.add(i16x8.shr_u(r, 11), v128.andnot(one, hasNoCarry));
    return i16x8.sub(q, i16x8.gt_s(above, chance)); // −1 where it is true
  }

  /** Eight at `to`; `v` and `w` have their signs. */
  @inline
  static store(to: usize, half: v128, residual: v128, v: v128, w: v128): void {
    const isAbove = i16x8.gt_s(residual, i16x8.splat(127)); // −1 where it is true
    // The nearest whole number of 16 bits to the bits of a negative float32 is −2¹⁵.
    const sign = Signed.signs(v, w);
    const halves = v128.or(i16x8.sub(half, isAbove), sign);
    // 254 less, of which bytes keep 2 more.
    const q = i16x8.add(residual, v128.and(isAbove, i16x8.splat(2)));
    const bytes = v128.swizzle(q, i8x16(0, 2, 4, 6, 8, 10, 12, 14, 0, 0, 0, 0, 0, 0, 0, 0));
    v128.store64_lane(to, halves, 0);
    v128.store32_lane(to, bytes, 0, 8);
    v128.store64_lane(to, halves, 1, 12);
    v128.store32_lane(to, bytes, 1, 20);
  }

  @inline
  static storeGroup(to: usize, group: v128): void {
    v128.store64_lane(to, group, 0);
    v128.store32_lane(to, group, 2, 8);
  }
}

/** Any four, as their group's 12 bytes. It takes the way of the plain codec. */
function packGroup(v: v128, r: v128): v128 {
  const zero = i32x4.splat(0);
  const m = Residual.magnitude(v);
  let half = i32x4.shr_u(i32x4.add(m, i32x4.splat(0xfff)), 13);
  const steps = i32x4.sub(m, i32x4.shl(half, 13));
  half = i32x4.sub(half, i32x4.splat(0x1c000));
  const power = i32x4.eq(v128.and(half, i32x4.splat(0x3ff)), zero);
  const isUnder = v128.and(power, i32x4.lt_s(steps, zero));
  let rest = v128.bitselect(i32x4.shl(steps, 6), i32x4.shl(steps, 7), isUnder);
  const small = i32x4.lt_s(m, i32x4.splat(0x38800000));
  const normal = v128.and(m, i32x4.ge_s(m, i32x4.splat(0x800000)));
  const fixed = i32x4.trunc_sat_f32x4_s(f32x4.mul(normal, f32x4.splat(17592186044416)));
  const near = i32x4.shr_u(i32x4.add(fixed, i32x4.splat(0x7ffff)), 20);
  half = v128.bitselect(near, half, small);
  rest = v128.bitselect(i32x4.sub(fixed, i32x4.shl(near, 20)), rest, small);
  // The last q whose offset is not above the whole steps w.
  const w = i32x4.shr_s(rest, 7);
  let q = i32x4.shr_s(i32x4.add(i32x4.mul(w, i32x4.splat(127)), i32x4.splat(63)), 12);
  // 2⁹ offsets: 16513·2⁻⁹ is near enough to 4096/127 for all |q| ≤ 129, and 256 rounds.
  const scaled = i32x4.add(i32x4.mul(q, i32x4.splat(16513)), i32x4.splat(256));
  const offset = i32x4.shr_s(scaled, 9);
  const next = i32x4.shr_s(i32x4.add(scaled, i32x4.splat(16513)), 9);
  const above = i32x4.sub(rest, i32x4.shl(offset, 7));
  const chance = i32x4.mul(r, i32x4.sub(next, offset));
  // Both sides without a factor of 128.
  q = i32x4.sub(q, i32x4.lt_s(chance, i32x4.shl(above, 9)));
  const isDown = i32x4.eq(q, i32x4.splat(-127));
  const isQuarter = v128.and(
    v128.and(power, i32x4.eq(q, i32x4.splat(-64))),
    i32x4.gt_s(half, i32x4.splat(0x400)),
  );
  half = i32x4.add(half, v128.or(isDown, isQuarter));
  q = i32x4.add(q, v128.and(isDown, i32x4.splat(127 + 127)));
  q = i32x4.add(q, v128.and(isQuarter, i32x4.splat(126 + 64)));
  const sign = v128.and(i32x4.shr_u(v, 16), i32x4.splat(0x8000));
  const both = v128.or(v128.or(half, sign), i32x4.shl(q, 16));
  return v128.swizzle(both, i8x16(0, 1, 4, 5, 8, 9, 12, 13, 2, 6, 10, 14, 0, 0, 0, 0));
}

export function pack(from: usize, to: usize, n: u32, start: u32, item: u32, round: u32): void {
  const y = Draws.key(item);
  const z = Draws.key(round);
  let i: u32 = 0;
  for (; i + 16 <= n; i += 16) {
    Draws.halves((start + i) >>> 2, y, z);
    const v0 = v128.load(from);
    const v1 = v128.load(from, 16);
    const v2 = v128.load(from, 32);
    const v3 = v128.load(from, 48);
    const m0 = Residual.magnitude(v0);
    const m1 = Residual.magnitude(v1);
    const m2 = Residual.magnitude(v2);
    const m3 = Residual.magnitude(v3);
    const a = Residual.halfOf(m0, m1);
    const b = Residual.halfOf(m2, m3);
    // Seldom, or for many neighbours: the processor foresees it.
    if (i8x16.bitmask(v128.or(Residual.isRare(a), Residual.isRare(b))) != 0) {
      Residual.storeGroup(to, packGroup(v0, i32x4.extend_low_i16x8_u(Draws.a)));
      Residual.storeGroup(to + 12, packGroup(v1, i32x4.extend_high_i16x8_u(Draws.a)));
      Residual.storeGroup(to + 24, packGroup(v2, i32x4.extend_low_i16x8_u(Draws.b)));
      Residual.storeGroup(to + 36, packGroup(v3, i32x4.extend_high_i16x8_u(Draws.b)));
    } else {
      Residual.store(to, a, Residual.round(Residual.lowerOf(m0, m1), Draws.a), v0, v1);
      Residual.store(to + 24, b, Residual.round(Residual.lowerOf(m2, m3), Draws.b), v2, v3);
    }
    from += 64;
    to += 48;
  }
  if (i == n) return;
  Draws.halves((start + i) >>> 2, y, z);
  for (; i < n; i += 4) {
    const left = n - i;
    const v = left >= 4 ? v128.load(from) : loadEnd(from, left);
    const group = packGroup(v, i32x4.extend_low_i16x8_u(Draws.a));
    if (left >= 4) {
      Residual.storeGroup(to, group);
    } else {
      storeEnd16(to, group, left);
      storeEnd8(to + 8, group, left);
    }
    Draws.a = v128.shuffle<i64>(Draws.a, Draws.b, 1, 2);
    Draws.b = v128.shuffle<i64>(Draws.b, Draws.b, 1, 0);
    from += 16;
    to += 12;
  }
}

class Group {
  @inline
  static values(from: usize): v128 {
    const half = v128.load16x4_s(from);
    const q = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(from, 8)));
    // 2⁹ offsets: 16513·2⁻⁹ is near enough to 4096/127 for all |q| ≤ 129, and 256 rounds.
    const scaled = i32x4.add(i32x4.mul(q, i32x4.splat(16513)), i32x4.splat(256));
    const offset = i32x4.shr_s(scaled, 9);
    // Sign, exponent and mantissa where a float32 has them, and the offset.
    const wide = v128.and(i32x4.shl(half, 13), i32x4.splat(0x8fffe000));
    const v = i32x4.add(wide, i32x4.add(offset, i32x4.splat(0x38000000)));
    const exponent = v128.and(half, i32x4.splat(0x7c00));
    const mantissa = v128.and(half, i32x4.splat(0x3ff));
    const zero = i32x4.splat(0);
    const isRare = i32x4.eq(i32x4.min_s(exponent, mantissa), zero);
    if (i32x4.bitmask(isRare) == 0) return v;
    // Under a power of two steps have half the size; among subnormals they are 2⁻³⁷.
    const isUnder = v128.and(i32x4.eq(mantissa, zero), i32x4.lt_s(q, zero));
    const under = i32x4.add(v, v128.and(offset, isUnder));
    const steps = i32x4.add(i32x4.shl(mantissa, 13), offset);
    const small = f32x4.mul(f32x4.convert_i32x4_s(steps), f32x4.splat(7.275957614183426e-12));
    const sign = v128.and(wide, i32x4.splat(0x80000000));
    return v128.bitselect(v128.or(small, sign), under, i32x4.eq(exponent, zero));
  }
}

export function unpack(from: usize, to: usize, n: u32): void {
  let i: u32 = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(to, Group.values(from));
    from += 12;
    to += 16;
  }
  if (i < n) storeEnd32(to, Group.values(from), n - i);
}
