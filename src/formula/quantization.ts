/**
 * Quantized state: a block of 256 elements has one float32 scale, the largest magnitude in it, and each element is
 * one byte: its ratio x to the scale, companded by roots.
 *
 *   signed    byte = sign(x) ⌊127 √|x| + r⌋             x = (byte / 127) |byte / 127|
 *   positive  byte = ⌊255 ⁴√x + r⌋, at least 1          x = (byte / 255)⁴
 *             where the element is above 0
 *
 * The largest element of a block is exact, and dequantized values are quantized to the same bytes and scale again,
 * for any r in (0, 1). The positive code spans 255⁴ = 4·10⁹ from the largest to the smallest, so a second moment above 0
 * stays above 0: one that became 0 would be divided by.
 *
 * r is not always ½: a moment that changes by less than half a step in proportion to the largest of its block would
 * keep its byte for ever. v changes by 0.1 % a step where the bytes are 0.8 % apart or more, and small m never
 * dies. So r goes evenly through (0, 1) from step to step (`roundingAt`), the same for all elements. It follows
 * from the weight's count of steps, which is saved.
 *
 * docs/decisions/0005-precision-and-planning.md has the measurements that chose the codes and the rounding.
 *
 * Written once over an algebra, as the update rules are: numbers (`quantized-numbers.ts`), tensors
 * (`quantized-tensors.ts`), WGSL. Where a compiler fuses or a device rounds roots in its own way, a ratio
 * within a few units in the last place of the threshold between two bytes may become the other one.
 */
import type { Algebra } from './algebra.js';

/** Elements with one scale. */
export const BLOCK = 256;
/** A word has four bytes, lowest first: of elements i, i + 64, i + 128 and i + 192 of the block. */
export const BLOCK_WORDS = BLOCK / 4;
/** Moments of smaller weights stay float32: they are few, and biases and norms are sensitive. */
export const SMALLEST_QUANTIZED = 4096;
/** The least scale, so that no block is divided by 0, nor by what a GPU may take for 0. */
export const LEAST_SCALE = 2 ** -126;

/** `positive` for state that is never below 0. */
export type QuantizedKind = 'signed' | 'positive';

export interface QuantizationAlgebra<T> extends Omit<Algebra<T>, 'sub' | 'div'> {
  constant(value: number): T;
  floor(a: T): T;
  /** NaN if one of them is. */
  max(a: T, b: T): T;
}

/** Rounds to the nearest byte; ties go up on every backend, which `round` does not promise. */
export const NEAREST = 0.5;
/** In 256 steps every multiple of 1/256 once, and in any few steps evenly: 159/256 is near the golden ratio. */
const STRIDE = 159;

/** r of a weight's step, counted from 1. It is never so near 0 or 1 that a byte is lost. */
export function roundingAt(step: number): number {
  return (((step * STRIDE) % 256) + 0.5) / 256;
}

/**
 * The byte as a number, −127…127 or 0…255, of `value`, which is `ratio` times the scale of its block.
 * `rounding` is added before magnitudes are rounded down.
 */
export function quantize<T>(
  kind: QuantizedKind,
  value: T,
  ratio: T,
  rounding: T,
  o: QuantizationAlgebra<T>,
): T {
  const rounded = (steps: number, bent: T) =>
    o.floor(o.add(o.mul(bent, o.constant(steps)), rounding));
  if (kind === 'signed') return o.mul(o.sign(ratio), rounded(127, o.sqrt(o.abs(ratio))));
  return o.max(rounded(255, o.sqrt(o.sqrt(ratio))), o.sign(value));
}

/** The value of a byte. Multiplies by 1/127 and 1/255, because WGSL's division need not be exact. */
export function dequantize<T>(
  kind: QuantizedKind,
  byte: T,
  scale: T,
  o: QuantizationAlgebra<T>,
): T {
  if (kind === 'signed') {
    const y = o.mul(byte, o.constant(Math.fround(1 / 127)));
    return o.mul(o.mul(o.abs(y), y), scale);
  }
  const ratio = o.square(o.square(o.mul(byte, o.constant(Math.fround(1 / 255)))));
  return o.max(o.mul(ratio, scale), o.mul(o.sign(byte), o.constant(LEAST_SCALE)));
}

export function blocksOf(size: number): number {
  return Math.ceil(size / BLOCK);
}
