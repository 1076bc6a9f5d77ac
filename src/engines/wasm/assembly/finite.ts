// Whether numbers are finite. By their bits: a sum would wait for each addition, and may overflow.

const EXPONENT: i32 = 0x7f800000;

/** True if none of the n float32 from x on is a NaN or an infinity: each has an exponent of all ones. */
export function allFinite(x: usize, n: u32): bool {
  const exponent = i32x4.splat(EXPONENT);
  let bad = i32x4.splat(0);
  const whole = n & ~15;
  // Counted by index: the end of a heap of 4 GiB would be position 0.
  let i: u32 = 0;
  for (; i < whole; i += 16, x += 64) {
    const a = i32x4.eq(v128.and(v128.load(x), exponent), exponent);
    const b = i32x4.eq(v128.and(v128.load(x, 16), exponent), exponent);
    const c = i32x4.eq(v128.and(v128.load(x, 32), exponent), exponent);
    const d = i32x4.eq(v128.and(v128.load(x, 48), exponent), exponent);
    bad = v128.or(bad, v128.or(v128.or(a, b), v128.or(c, d)));
  }
  let isFinite = !v128.any_true(bad);
  for (; i < n; i++, x += 4) isFinite = isFinite && (load<i32>(x) & EXPONENT) != EXPONENT;
  return isFinite;
}
