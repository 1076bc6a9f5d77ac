/**
 * How slow values are stored: formats, and the bytes that they take.
 *
 * Quantized values come in groups of whole 32-bit words, one after the other. So a run of whole groups is one run
 * of bytes, and weights can be cut, copied and quantized anew between two groups.
 */

/**
 * - `f32`: as it is;
 * - `f16r8`: fp16, and a residual of 8 bits in units of 1/254 of its last place (half-residual.ts);
 * - `f16`: fp16 (half.ts);
 * - `bf16`: the upper half of a float32 (brain-half.ts);
 * - `int8`: 127ths of the largest magnitude among 256 elements (block-int8.ts).
 */
export type ValueFormat = 'f32' | 'f16r8' | 'f16' | 'bf16' | 'int8';

/** Formats that round. */
export type QuantizedFormat = Exclude<ValueFormat, 'f32'>;

export interface Group {
  readonly elements: number;
  readonly bytes: number;
}

export const GROUPS: Readonly<Record<ValueFormat, Group>> = {
  f32: { elements: 1, bytes: 4 },
  f16r8: { elements: 4, bytes: 12 },
  f16: { elements: 4, bytes: 8 },
  bf16: { elements: 4, bytes: 8 },
  int8: { elements: 256, bytes: 260 },
};

/** Bytes of `length` elements: the last group is whole, its padding zero. */
export function storedBytes(format: ValueFormat, length: number): number {
  const { elements, bytes } = GROUPS[format];
  return Math.ceil(length / elements) * bytes;
}

const LARGEST_FLOAT = 3.4028234663852886e38;
/** The largest finite fp16. */
export const LARGEST_HALF = 65504;

/** The largest magnitude that the format can hold. */
export function largestIn(format: ValueFormat): number {
  return format === 'f16' || format === 'f16r8' ? LARGEST_HALF : LARGEST_FLOAT;
}

/** True if the format can hold all of `values`. float32 holds everything, NaN too. */
export function fitsIn(format: ValueFormat, values: Float32Array): boolean {
  if (format === 'f32') return true;
  const largest = largestIn(format);
  return values.every((x) => Math.abs(x) <= largest);
}
