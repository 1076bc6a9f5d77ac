/**
 * Float32 ⇄ fp16 (IEEE binary16), rounded stochastically: up or down with the probability that makes the
 * mean the value itself. Rounding to nearest would lose every update below half a unit in the last place.
 *
 * The plain version: src/engines/webgpu/blend/codec-wgsl.ts gives the same bits for the same value and draw.
 */

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** The fp16 above or below `x`, by the random bits `r`. A value that is one itself stays. */
export function roundHalf(x: number, r: number): number {
  value[0] = x;
  const all = bits[0]!;
  const sign = (all >>> 16) & 0x8000;
  const magnitude = all & 0x7fff_ffff;
  if (magnitude < 0x3880_0000) {
    // Below 2⁻¹⁴ fp16 has the multiples of 2⁻²⁴; 24 random bits against the fraction. A subnormal float32 is
    // zero here, since a device may flush it.
    const scaled = magnitude < 0x80_0000 ? 0 : Math.abs(value[0]) * 2 ** 24;
    const whole = Math.floor(scaled);
    return sign | (whole + ((r >>> 8) * 2 ** -24 < scaled - whole ? 1 : 0));
  }
  // 13 random bits below the kept ones, then truncated. The exponent's bias goes from 127 to 15.
  const rounded = ((magnitude + (r & 0x1fff)) >>> 13) - (112 << 10);
  return sign | Math.min(rounded, HALF_OF_LARGEST);
}

/** The bits of 65504, the largest finite fp16. */
const HALF_OF_LARGEST = 0x7bff;

/** The value of a finite fp16. */
export function halfValue(half: number): number {
  const magnitude = half & 0x7fff;
  bits[0] = (magnitude << 13) + (112 << 23);
  const x = magnitude < 0x400 ? magnitude * 2 ** -24 : value[0]!;
  return (half & 0x8000) === 0 ? x : -x;
}
