// Numbers of 16 bits from their magnitudes and the signs of float32.

export class Signed {
  /** Eight signs, those of v and w, where a number of 16 bits has its own. */
  @inline
  static signs(v: v128, w: v128): v128 {
    // The nearest whole number of 16 bits to the bits of a negative float32 is −2¹⁵.
    return v128.and(i16x8.narrow_i32x4_s(v, w), i16x8.splat(-32768));
  }

  /** Eight: the magnitudes in a and b, `largest` at most, with the signs of v and w. */
  @inline
  static join(a: v128, b: v128, v: v128, w: v128, largest: i16): v128 {
    const halves = i16x8.min_u(i16x8.narrow_i32x4_u(a, b), i16x8.splat(largest));
    return v128.or(halves, Signed.signs(v, w));
  }
}
