// Element by element, four at a time and then one by one: the bits of tfjs's cpu backend.

/** out ← x between `low` and `high`, of `size` elements. NaN stays NaN, and −0 is between 0 and 1. */
export function clip(x: usize, out: usize, size: u32, low: f32, high: f32): void {
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  const end: usize = x + (size << 2);
  for (const fours: usize = x + ((size & ~3) << 2); x < fours; x += 16, out += 16) {
    // They keep the first where it does not compare.
    v128.store(out, f32x4.pmin(f32x4.pmax(v128.load(x), lows), highs));
  }
  for (; x < end; x += 4, out += 4) {
    const value = f32.load(x);
    f32.store(out, value < low ? low : value > high ? high : value);
  }
}

/** out ← −1, 0 or 1, of `size` elements. 0 of NaN. */
export function sign(x: usize, out: usize, size: u32): void {
  const zeros = f32x4.splat(0);
  const end: usize = x + (size << 2);
  for (const fours: usize = x + ((size & ~3) << 2); x < fours; x += 16, out += 16) {
    const values = v128.load(x);
    // A comparison is −1 where it holds.
    const signs = i32x4.sub(f32x4.lt(values, zeros), f32x4.gt(values, zeros));
    v128.store(out, f32x4.convert_i32x4_s(signs));
  }
  for (; x < end; x += 4, out += 4) {
    const value = f32.load(x);
    f32.store(out, <f32>(i32(value > 0) - i32(value < 0)));
  }
}
