/**
 * Random bits that depend only on what they are drawn for. A run that is repeated or resumed draws the same, on the
 * host and on the device, in any order.
 *
 * Source: Jarzynski, Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020, pcg4d. The same function in
 * WGSL is in src/engines/webgpu/blend/codec-wgsl.ts.
 */

/** What is rounded. Whole numbers of 32 bits. */
export interface Draw {
  /** Which variable. */
  readonly item: number;
  /** Which step. */
  readonly round: number;
}

/** The bytes of 'slow', so that another user of the same hash draws other numbers. */
const SEED = 0x736c_6f77;

/** 32 random bits for each of the four elements 4·block … 4·block + 3, into `out`. */
export function drawBits(block: number, { item, round }: Draw, out: Uint32Array): void {
  let x = (Math.imul(block, 1664525) + 1013904223) | 0;
  let y = (Math.imul(item, 1664525) + 1013904223) | 0;
  let z = (Math.imul(round, 1664525) + 1013904223) | 0;
  let w = (Math.imul(SEED, 1664525) + 1013904223) | 0;
  x = (x + Math.imul(y, w)) | 0;
  y = (y + Math.imul(z, x)) | 0;
  z = (z + Math.imul(x, y)) | 0;
  w = (w + Math.imul(y, z)) | 0;
  x ^= x >>> 16;
  y ^= y >>> 16;
  z ^= z >>> 16;
  w ^= w >>> 16;
  x = (x + Math.imul(y, w)) | 0;
  y = (y + Math.imul(z, x)) | 0;
  z = (z + Math.imul(x, y)) | 0;
  w = (w + Math.imul(y, z)) | 0;
  out[0] = x;
  out[1] = y;
  out[2] = z;
  out[3] = w;
}
