// The last 1 … 3 elements of a call: nothing behind them is read or written.

/** n floats, and zeros. */
export function loadEnd(from: usize, n: u32): v128 {
  let v = v128.load32_zero(from);
  if (n > 1) v = v128.load32_lane(from, v, 1, 4);
  if (n > 2) v = v128.load32_lane(from, v, 2, 8);
  return v;
}

export function storeEnd32(to: usize, v: v128, n: u32): void {
  v128.store32_lane(to, v, 0);
  if (n > 1) v128.store32_lane(to, v, 1, 4);
  if (n > 2) v128.store32_lane(to, v, 2, 8);
}

export function storeEnd16(to: usize, v: v128, n: u32): void {
  v128.store16_lane(to, v, 0);
  if (n > 1) v128.store16_lane(to, v, 1, 2);
  if (n > 2) v128.store16_lane(to, v, 2, 4);
}

/** The bytes of v from its third word on. */
export function storeEnd8(to: usize, v: v128, n: u32): void {
  v128.store8_lane(to, v, 8);
  if (n > 1) v128.store8_lane(to, v, 9, 1);
  if (n > 2) v128.store8_lane(to, v, 10, 2);
}
