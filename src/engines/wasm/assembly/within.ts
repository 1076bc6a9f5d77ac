// Whether numbers are within a limit, or finite. By their bits: a sum would wait for each addition, and may overflow.

const MAGNITUDE: i32 = 0x7fffffff;

/**
 * True if none of the n float32 from x on is beyond ±largest, or a NaN. The bits of magnitudes are ordered as these are, infinity
 * behind all numbers and NaNs behind that.
 */
export function allWithin(x: usize, n: u32, largest: f32): bool {
  const magnitude = i32x4.splat(MAGNITUDE);
  let most = i32x4.splat(0);
  const whole = n & ~15;
  // Counted by index: the end of a heap of 4 GiB would be position 0.
  let i: u32 = 0;
  for (; i < whole; i += 16, x += 64) {
    const a = v128.and(v128.load(x), magnitude);
    const b = v128.and(v128.load(x, 16), magnitude);
    const c = v128.and(v128.load(x, 32), magnitude);
    const d = v128.and(v128.load(x, 48), magnitude);
    most = i32x4.max_s(most, i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d)));
  }
  const limit = reinterpret<i32>(largest);
  let isWithin = !v128.any_true(i32x4.gt_s(most, i32x4.splat(limit)));
  for (; i < n; i++, x += 4) isWithin = isWithin && (load<i32>(x) & MAGNITUDE) <= limit;
  return isWithin;
}
