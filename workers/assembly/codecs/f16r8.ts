// Float32 ⇄ fp16 and a residual of 8 bits, the same bits as ../../codecs/half-residual.ts.
// from, to: byte positions; n: weights; start: the first element within its variable; item, round: the draw.
import { Draws } from './draws';
import { loadEnd, storeEnd16, storeEnd32, storeEnd8 } from './ends';

class Residual {
  /** 2⁹ offsets of q: 16513·2⁻⁹ is near enough to 4096/127 for every |q| ≤ 129, and 256 rounds. */
  @inline
  static scaledOffset(q: v128): v128 {
    return i32x4.add(i32x4.mul(q, i32x4.splat(16513)), i32x4.splat(256));
  }

  /** A group's 12 bytes: the lower 16 bits of each, then the 8 above. */
  @inline
  static pack(v: v128, r: v128): v128 {
    const zero = i32x4.splat(0);
    // What lies above the largest fp16 by half a place or more has its half and the largest residual.
    let m = v128.and(v, i32x4.splat(0x7fffffff));
    m = i32x4.min_s(m, i32x4.splat(0x477ff000));
    let half = i32x4.shr_u(i32x4.add(m, i32x4.splat(0xfff)), 13);
    const steps = i32x4.sub(m, i32x4.shl(half, 13));
    half = i32x4.sub(half, i32x4.splat(0x1c000));
    let rest = i32x4.shl(steps, 7);
    const power = i32x4.eq(v128.and(half, i32x4.splat(0x3ff)), zero);
    const small = i32x4.lt_s(m, i32x4.splat(0x38800000));
    // Rare among weights, or common to many neighbours: the processor foresees it.
    const isRare = i32x4.bitmask(v128.or(power, small)) != 0;
    if (isRare) {
      const below = v128.and(power, i32x4.lt_s(steps, zero));
      rest = v128.bitselect(i32x4.shl(steps, 6), rest, below);
      const normal = v128.and(m, i32x4.ge_s(m, i32x4.splat(0x800000)));
      const fixed = i32x4.trunc_sat_f32x4_s(f32x4.mul(normal, f32x4.splat(17592186044416)));
      const near = i32x4.shr_u(i32x4.add(fixed, i32x4.splat(0x7ffff)), 20);
      half = v128.bitselect(near, half, small);
      rest = v128.bitselect(i32x4.sub(fixed, i32x4.shl(near, 20)), rest, small);
    }
    // q is the last whose offset ⌊(4096q + 63) / 127⌋ is not above the whole steps w, so q = ⌊(127w + 63) / 4096⌋.
    const w = i32x4.shr_s(rest, 7);
    let q = i32x4.shr_s(i32x4.add(i32x4.mul(w, i32x4.splat(127)), i32x4.splat(63)), 12);
    const scaled = Residual.scaledOffset(q);
    const offset = i32x4.shr_s(scaled, 9);
    const next = i32x4.shr_s(i32x4.add(scaled, i32x4.splat(16513)), 9);
    const above = i32x4.sub(rest, i32x4.shl(offset, 7));
    const chance = i32x4.mul(v128.and(r, i32x4.splat(0xffff)), i32x4.sub(next, offset));
    // Both sides without a factor of 128. −1 where it is true.
    q = i32x4.sub(q, i32x4.lt_s(chance, i32x4.shl(above, 9)));
    const down = i32x4.eq(q, i32x4.splat(-127));
    half = i32x4.add(half, down);
    q = i32x4.add(q, v128.and(down, i32x4.splat(254)));
    if (isRare) {
      const quarter = v128.and(power, i32x4.eq(q, i32x4.splat(-64)));
      const under = v128.and(quarter, i32x4.gt_s(half, i32x4.splat(0x400)));
      half = i32x4.add(half, under);
      q = i32x4.add(q, v128.and(under, i32x4.splat(190)));
    }
    const sign = v128.and(i32x4.shr_u(v, 16), i32x4.splat(0x8000));
    const both = v128.or(v128.or(half, sign), i32x4.shl(q, 16));
    return v128.swizzle(both, i8x16(0, 1, 4, 5, 8, 9, 12, 13, 2, 6, 10, 14, 0, 0, 0, 0));
  }

  @inline
  static store(to: usize, group: v128): void {
    v128.store64_lane(to, group, 0);
    v128.store32_lane(to, group, 2, 8);
  }

  @inline
  static value(from: usize): v128 {
    const half = v128.load16x4_u(from);
    const q = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(from, 8)));
    const offset = i32x4.shr_s(Residual.scaledOffset(q), 9);
    const m = v128.and(half, i32x4.splat(0x7fff));
    const wide = i32x4.shl(m, 13);
    let v = i32x4.add(i32x4.add(wide, offset), i32x4.splat(0x38000000));
    const power = i32x4.eq(v128.and(half, i32x4.splat(0x3ff)), i32x4.splat(0));
    const small = i32x4.lt_s(m, i32x4.splat(0x400));
    if (i32x4.bitmask(v128.or(power, small)) != 0) {
      const below = v128.and(power, i32x4.lt_s(q, i32x4.splat(0)));
      v = i32x4.add(v, v128.and(offset, below));
      const steps = f32x4.convert_i32x4_s(i32x4.add(wide, offset));
      v = v128.bitselect(f32x4.mul(steps, f32x4.splat(7.275957614183426e-12)), v, small);
    }
    return v128.or(v, i32x4.shl(v128.and(half, i32x4.splat(0x8000)), 16));
  }
}

export function pack(from: usize, to: usize, n: u32, start: u32, item: u32, round: u32): void {
  const y = Draws.key(item);
  const z = Draws.key(round);
  let i: u32 = 0;
  for (; i + 4 <= n; i += 4) {
    if ((i & 12) == 0) Draws.draw((start + i) >>> 2, y, z);
    else Draws.shift();
    Residual.store(to, Residual.pack(v128.load(from), Draws.a));
    from += 16;
    to += 12;
  }
  if (i == n) return;
  Draws.draw((start + i) >>> 2, y, z);
  const group = Residual.pack(loadEnd(from, n - i), Draws.a);
  storeEnd16(to, group, n - i);
  storeEnd8(to + 8, group, n - i);
}

export function unpack(from: usize, to: usize, n: u32): void {
  let i: u32 = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(to, Residual.value(from));
    from += 12;
    to += 16;
  }
  if (i < n) storeEnd32(to, Residual.value(from), n - i);
}
