/**
 * Float32 ⇄ int8 in blocks of 256 elements. An element is q = −127 … 127, in 127ths of the block's largest
 * magnitude, rounded stochastically. The magnitude is stored in float32.
 *
 * A 127th is not a float32 in general, so q stands for the next float32 towards zero on the grid of the largest
 * magnitude's last place. So stored values are decoded and encoded again exactly, the block's largest too, and
 * the mean of the rounding is the value itself. Whole numbers below 2³² are enough for this, so that every device
 * computes the same.
 */

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** Of a positive float32, as a whole number of 24 bits. */
function mantissaOf(magnitude: number): number {
  return (magnitude & 0x7f_ffff) | 0x80_0000;
}

/** The bits of the largest magnitude among `values`; 0 if it is subnormal, since a device may flush that. */
export function largestBits(values: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  value[0] = largest;
  return bits[0]! < 0x80_0000 ? 0 : bits[0]!;
}

/** q for `x` in a block whose largest magnitude has the bits `largest`, by the random bits `r`. */
export function roundInt8(x: number, largest: number, r: number): number {
  value[0] = x;
  const all = bits[0]!;
  const magnitude = all & 0x7fff_ffff;
  const shift = (largest >>> 23) - (magnitude >>> 23);
  // What lies 2²⁴ times below the largest is less than a 10,000th of a step.
  if (magnitude < 0x80_0000 || shift > 23) return 0;
  const top = mantissaOf(largest);
  const whole = mantissaOf(magnitude) >>> shift;
  let q = ((whole * 127) / top) | 0;
  const below = gridOf(q, top);
  const gap = gridOf(q + 1, top) - below;
  if ((r & 0x3fff) * gap < (whole - below) * 16384) q++; // where whole is on the grid above, always
  return all >>> 31 === 0 ? q : -q;
}

/** What q ≥ 0 stands for, in units of the last place of the largest magnitude. */
function gridOf(q: number, top: number): number {
  return ((q * top) / 127) | 0;
}

export function int8Value(q: number, largest: number): number {
  bits[0] = largest & 0x7f80_0000;
  const x = gridOf(Math.abs(q), mantissaOf(largest)) * 2 ** -23 * value[0]!;
  return q < 0 ? -x : x;
}
