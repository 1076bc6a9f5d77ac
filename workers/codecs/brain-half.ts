/**
 * Float32 ⇄ bf16: the upper 16 bits of a float32, rounded stochastically. The range of float32 with 8 bits of
 * precision.
 */

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** The bf16 above or below `x`, by the random bits `r`: 16 of them below the kept ones, then truncated. */
export function roundBrainHalf(x: number, r: number): number {
  value[0] = x;
  const all = bits[0]!;
  const rounded = ((all & 0x7fff_ffff) + (r & 0xffff)) >>> 16;
  return ((all >>> 16) & 0x8000) | Math.min(rounded, LARGEST_BRAIN_HALF);
}

/** What lies above it is infinity. */
const LARGEST_BRAIN_HALF = 0x7f7f;

export function brainHalfValue(half: number): number {
  bits[0] = half << 16;
  return value[0]!;
}
