// Where slow weights live and in which precision: the `slow` option, parsed.

import { checkChoice } from '../options.js';

/** Every place and precision of slow weights: `<place>:<format>`. */
export const SLOW_FORMATS = ['host:f32', 'host:f16'] as const;

/**
 * - `host:f32`: float32 in host memory;
 * - `host:f16`: fp16 in host memory, rounded stochastically, blended by the device (WebGPU engine). Weights of
 *   fewer than 4,096 elements or of one dimension (biases, norms) stay float32, and so does a weight that
 *   outgrows ±65504.
 */
export type SlowFormat = (typeof SLOW_FORMATS)[number];

export function checkSlowFormat(value: unknown): SlowFormat {
  return checkChoice('slow', value, SLOW_FORMATS);
}

/** Below this many elements a weight's slow values stay float32: they are few, and often the touchy ones. */
const MIN_PACKED_ELEMENTS = 4096;

/** How slow values of a variable of this shape are stored. `slot`: of the inner state, which has another range. */
export function valueFormat(
  format: SlowFormat,
  { shape, slot }: { readonly shape: readonly number[]; readonly slot: number | null },
): 'f32' | 'f16' {
  if (format === 'host:f32' || slot !== null || shape.length < 2) return 'f32';
  const elements = shape.reduce((product, length) => product * length, 1);
  return elements < MIN_PACKED_ELEMENTS ? 'f32' : 'f16';
}
