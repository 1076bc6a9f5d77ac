// Float32 ⇄ bf16, the same bits as ../../codecs/brain-half.ts.
// from, to: byte positions; n: weights; start: the first element within its variable; item, round: the draw.
import { Draws } from './draws';
import { loadEnd, storeEnd16, storeEnd32 } from './ends';
import { Signed } from './signed';

class BrainHalf {
  /** Magnitudes. The shift is unsigned: a sum of 2³¹ and more is one of NaN. */
  @inline
  static round(v: v128, r: v128): v128 {
    const m = v128.and(v, i32x4.splat(0x7fffffff));
    return i32x4.shr_u(i32x4.add(m, v128.and(r, i32x4.splat(0xffff))), 16);
  }

  /** Eight: the magnitudes in a and b, at most the largest, with the signs of v and w. */
  @inline
  static join(a: v128, b: v128, v: v128, w: v128): v128 {
    return Signed.join(a, b, v, w, 0x7f7f);
  }
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
    const a = BrainHalf.round(v0, Draws.a);
    const b = BrainHalf.round(v1, Draws.b);
    const c = BrainHalf.round(v2, Draws.c);
    const d = BrainHalf.round(v3, Draws.d);
    v128.store(to, BrainHalf.join(a, b, v0, v1));
    v128.store(to, BrainHalf.join(c, d, v2, v3), 16);
    from += 64;
    to += 32;
  }
  if (i == n) return;
  Draws.words((start + i) >>> 2, y, z);
  for (; i < n; i += 4) {
    const v = n - i >= 4 ? v128.load(from) : loadEnd(from, n - i);
    const a = BrainHalf.round(v, Draws.a);
    const halves = BrainHalf.join(a, a, v, v);
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
    v128.store(to, i32x4.shl(v128.load16x4_u(from), 16));
    v128.store(to, i32x4.shl(v128.load16x4_u(from, 8), 16), 16);
    v128.store(to, i32x4.shl(v128.load16x4_u(from, 16), 16), 32);
    v128.store(to, i32x4.shl(v128.load16x4_u(from, 24), 16), 48);
    from += 32;
    to += 64;
  }
  for (; i < n; i += 4) {
    const v = i32x4.shl(v128.load16x4_u(from), 16);
    if (n - i >= 4) v128.store(to, v);
    else storeEnd32(to, v, n - i);
    from += 8;
    to += 16;
  }
}
