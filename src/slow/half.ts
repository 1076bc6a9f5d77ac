// Float32 ⇄ fp16 (IEEE binary16), rounded stochastically: up or down with the probability that makes the
// mean the value itself. Rounding to nearest would lose every update below half a unit in the last place.
//
// The plain version: device/webgpu/half-wgsl.ts gives the same bits for the same value and draw.

import { type Draw, drawBits } from './random-bits.js';

/** The largest finite fp16. Larger magnitudes have no place in it. */
export const LARGEST_HALF = 65504;

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** True if all of `values` are finite and within ±65504. */
export function fitsHalf(values: Float32Array): boolean {
  return values.every((x) => Math.abs(x) <= LARGEST_HALF);
}

/** Rounds `from`, which `fitsHalf`, into `into`. `start`: the first element within the variable, a multiple of 4. */
export function toHalf(from: Float32Array, into: Uint16Array, start: number, draw: Draw): void {
  const random = new Uint32Array(4);
  for (let i = 0; i < from.length; i++) {
    if (i % 4 === 0) drawBits((start + i) / 4, draw, random);
    into[i] = roundHalf(from[i] as number, random[i % 4] as number);
  }
}

export function fromHalf(from: Uint16Array, into: Float32Array): void {
  for (let i = 0; i < from.length; i++) into[i] = halfValue(from[i] as number);
}

/** The fp16 above or below `x`, by the random bits `r`. A value that is one itself stays. */
export function roundHalf(x: number, r: number): number {
  value[0] = x;
  const all = bits[0] as number;
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
  return sign | Math.min(rounded, 0x7bff);
}

/** The value of a finite fp16. */
export function halfValue(half: number): number {
  const magnitude = half & 0x7fff;
  bits[0] = (magnitude << 13) + (112 << 23);
  const x = magnitude < 0x400 ? magnitude * 2 ** -24 : (value[0] as number);
  return (half & 0x8000) === 0 ? x : -x;
}
