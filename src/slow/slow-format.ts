// Where slow weights live and in which precision: the `slow` option, parsed.

import type { ValueFormat } from '../../workers/codecs/value-format.js';

/** Every place and precision of slow weights: `<place>:<format>`. */
export const SLOW_FORMATS = [
  'host:f32',
  'host:f16r8',
  'host:f16',
  'host:bf16',
  'host:int8',
  'device:f32',
] as const;

/**
 * In host memory. The WebGPU engine blends them on the device, and elsewhere worker threads do:
 *
 * - `host:f32`: float32, 4 bytes a weight;
 * - `host:f16r8`: fp16 and a residual of 8 bits, 3 bytes: next to no loss;
 * - `host:f16`: fp16, 2 bytes;
 * - `host:bf16`: bf16, 2 bytes: coarser, with the range of float32;
 * - `host:int8`: 127ths of the largest in a block of 256 weights, a little over 1 byte.
 *
 * All but float32 are rounded stochastically. Weights of fewer than 4,096 elements or of one dimension (biases,
 * norms) and slots of the inner state stay float32, and so does a weight that outgrows ±65504 in fp16.
 *
 * - `device:f32`: float32 tensors on the device, for comparison: nothing is saved there, and nothing moves.
 */
export type SlowFormat = (typeof SLOW_FORMATS)[number];

/** Below this many elements a weight's slow values stay float32: they are few, and often sensitive. */
const MIN_PACKED_ELEMENTS = 4096;

/** How slow values of a variable of this shape are stored. `slot`: of the inner state, which has another range. */
export function valueFormat(
  format: SlowFormat,
  { shape, slot }: { readonly shape: readonly number[]; readonly slot: number | null },
): ValueFormat {
  if (slot !== null || shape.length < 2) return 'f32';
  const elements = shape.reduce((product, length) => product * length, 1);
  return elements < MIN_PACKED_ELEMENTS ? 'f32' : FORMAT_OF[format];
}

const FORMAT_OF: Readonly<Record<SlowFormat, ValueFormat>> = {
  'host:f32': 'f32',
  'host:f16r8': 'f16r8',
  'host:f16': 'f16',
  'host:bf16': 'bf16',
  'host:int8': 'int8',
  'device:f32': 'f32',
};
