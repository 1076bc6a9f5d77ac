/**
 * Float32 ⇄ fp16 and a residual of 8 bits: the nearest fp16, and what is missing in units of 1/254 of its last
 * place, rounded stochastically. q = −127 … 127 of them reach half a place both ways.
 *
 * A unit is not a whole number of float32 steps, so q stands for the nearest of the 8192 float32 steps in a place: the
 * *offset* q·4096/127, rounded. So every stored value is a float32 that is decoded and encoded again exactly,
 * whatever the draw, and the mean of the rounding is the value itself. Whole numbers are enough for this, so that
 * every device computes the same.
 *
 * The residual counts away from zero: of −1 − 2⁻²⁰ it is positive.
 */

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** The float32 steps, 8192 in a place of the fp16, that `q` stands for. */
export function residualOffset(q: number): number {
  const offset = ((Math.abs(q) * 4096 + 63) / 127) | 0;
  return q < 0 ? -offset : offset;
}

/** The fp16 in the lower 16 bits, the residual in the 8 above. `x` within ±65504. */
export function roundHalfResidual(x: number, r: number): number {
  value[0] = x;
  const all = bits[0]!;
  const sign = (all >>> 16) & 0x8000;
  const magnitude = all & 0x7fff_ffff;
  let half: number;
  /** From the fp16 to the value, in 128ths of a float32 step of the fp16. */
  let rest: number;
  if (magnitude < 0x3880_0000) {
    // Below 2⁻¹⁴ a place is 2⁻²⁴, and a 128th of its steps 2⁻⁴⁴. What is smaller is zero, a subnormal float32 too.
    const fixed = Math.floor(Math.abs(value[0]) * 2 ** 44);
    half = (fixed + 0x7_ffff) >>> 20; // halfway stays below, at q = 127
    rest = fixed - (half << 20);
  } else {
    half = Math.min((magnitude + 0xfff) >>> 13, 0x7bff + (112 << 10));
    const steps = Math.min(magnitude - (half << 13), 4096);
    // Under a power of two a float32 has steps of half the size.
    rest = steps * (steps < 0 && (half & 0x3ff) === 0 ? 64 : 128);
    half -= 112 << 10;
  }
  let q = (rest * 127) >> 19;
  if (residualOffset(q) * 128 > rest) q--;
  else if (residualOffset(q + 1) * 128 <= rest) q++;
  const below = residualOffset(q) * 128;
  const gap = residualOffset(q + 1) * 128 - below;
  if ((r & 0xffff) * gap < (rest - below) * 65536) q++;
  // Halfway down is halfway up from the fp16 below, a quarter down from a power of two 126 units up: one of the
  // two names of a value is enough.
  if (q === -127) [half, q] = [half - 1, 127];
  else if (q === -64 && half > 0x400 && (half & 0x3ff) === 0) [half, q] = [half - 1, 126];
  return sign | half | ((q & 0xff) << 16);
}

export function halfResidualValue(half: number, q: number): number {
  const magnitude = half & 0x7fff;
  const offset = residualOffset(q);
  let x: number;
  if (magnitude < 0x400) {
    x = (magnitude * 8192 + offset) * 2 ** -37;
  } else {
    const isUnderPower = q < 0 && (magnitude & 0x3ff) === 0;
    bits[0] = (magnitude << 13) + (112 << 23) + (isUnderPower ? 2 * offset : offset);
    x = value[0]!;
  }
  return (half & 0x8000) === 0 ? x : -x;
}
