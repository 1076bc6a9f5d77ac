// Float32 ⇄ fp16, the same bits as ../../codecs/half.ts.
// from, to: byte positions; n: weights; start: the first element within its variable; item, round: the draw.
import { Draws } from './draws';
import { loadEnd, storeEnd16, storeEnd32 } from './ends';
import { Signed } from './signed';

class Half {
  @inline
  static magnitude(v: v128): v128 {
    return v128.and(v, i32x4.splat(0x7fffffff));
  }

  /** Of magnitudes that are normal in fp16, from −2¹⁵ for others up to above the largest. */
  @inline
  static round(m: v128, r: v128): v128 {
    const rounded = i32x4.add(m, v128.and(r, i32x4.splat(0x1fff)));
    return i32x4.sub(i32x4.shr_u(rounded, 13), i32x4.splat(0x1c000));
  }

  @inline
  static isSmall(m: v128): v128 {
    return i32x4.lt_s(m, i32x4.splat(0x38800000));
  }

  /** Eight: the magnitudes in a and b, at most the largest, with the signs of v and w. */
  @inline
  static join(a: v128, b: v128, v: v128, w: v128): v128 {
    return Signed.join(a, b, v, w, 0x7bff);
  }

  @inline
  static value(halves: v128): v128 {
    // Exponent and mantissa where a float32 has them, 112 powers of two too low. So an fp16 that is subnormal is a
    // subnormal float32 here, and one multiplication makes the right value of either.
    const v = v128.and(i32x4.shl(halves, 13), i32x4.splat(0x8fffe000));
    return f32x4.mul(v, i32x4.splat((127 + 112) << 23));
  }
}

/** `half` with those of its lanes replaced that are subnormal in fp16. */
function withSmall(half: v128, m: v128, r: v128): v128 {
  const normal = v128.and(m, i32x4.ge_s(m, i32x4.splat(0x800000)));
  const scaled = f32x4.mul(normal, f32x4.splat(16777216));
  const whole = f32x4.floor(scaled);
  const chance = f32x4.convert_i32x4_s(i32x4.shr_u(r, 8));
  const up = f32x4.lt(
    f32x4.mul(chance, f32x4.splat(5.960464477539063e-8)),
    f32x4.sub(scaled, whole),
  );
  const small = i32x4.sub(i32x4.trunc_sat_f32x4_s(whole), up); // up is −1 where it is true
  return v128.bitselect(small, half, Half.isSmall(m));
}

export function pack(from: usize, to: usize, n: u32, start: u32, item: u32, round: u32): void {
  const y = Draws.key(item);
  const z = Draws.key(round);
  let i: u32 = 0;
  for (; i + 16 <= n; i += 16) {
    Draws.words((start + i) >>> 2, y, z);
    const v0 = v128.load(from);
    const v1 = v128.load(from, 16);
    const v2 = v128.load(from, 32);
    const v3 = v128.load(from, 48);
    const m0 = Half.magnitude(v0);
    const m1 = Half.magnitude(v1);
    const m2 = Half.magnitude(v2);
    const m3 = Half.magnitude(v3);
    let a = Half.round(m0, Draws.a);
    let b = Half.round(m1, Draws.b);
    let c = Half.round(m2, Draws.c);
    let d = Half.round(m3, Draws.d);
    const least = i32x4.min_s(i32x4.min_s(m0, m1), i32x4.min_s(m2, m3));
    // Rare among weights, or common to many neighbours: the processor foresees it.
    if (i32x4.bitmask(Half.isSmall(least)) != 0) {
      a = withSmall(a, m0, Draws.a);
      b = withSmall(b, m1, Draws.b);
      c = withSmall(c, m2, Draws.c);
      d = withSmall(d, m3, Draws.d);
    }
    v128.store(to, Half.join(a, b, v0, v1));
    v128.store(to, Half.join(c, d, v2, v3), 16);
    from += 64;
    to += 32;
  }
  if (i == n) return;
  Draws.words((start + i) >>> 2, y, z);
  for (; i < n; i += 4) {
    const v = n - i >= 4 ? v128.load(from) : loadEnd(from, n - i);
    const m = Half.magnitude(v);
    const a = withSmall(Half.round(m, Draws.a), m, Draws.a);
    const halves = Half.join(a, a, v, v);
    if (n - i >= 4) v128.store64_lane(to, halves, 0);
    else storeEnd16(to, halves, n - i);
    Draws.shift();
    from += 16;
    to += 8;
  }
}

export function unpack(from: usize, to: usize, n: u32): void {
  let i: u32 = 0;
  for (; i + 16 <= n; i += 16) {
    v128.store(to, Half.value(v128.load16x4_s(from)));
    v128.store(to, Half.value(v128.load16x4_s(from, 8)), 16);
    v128.store(to, Half.value(v128.load16x4_s(from, 16)), 32);
    v128.store(to, Half.value(v128.load16x4_s(from, 24)), 48);
    from += 32;
    to += 64;
  }
  for (; i < n; i += 4) {
    const v = Half.value(v128.load16x4_s(from));
    if (n - i >= 4) v128.store(to, v);
    else storeEnd32(to, v, n - i);
    from += 8;
    to += 16;
  }
}
