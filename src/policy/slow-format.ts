// Where slow weights live and in which precision: the `slow` option, parsed.

import { checkChoice } from '../options.js';

/** Every place and precision of slow weights: `<place>:<format>`. */
export const SLOW_FORMATS = ['host:f32'] as const;

/** `host:f32`: float32 in host memory. */
export type SlowFormat = (typeof SLOW_FORMATS)[number];

export function checkSlowFormat(value: unknown): SlowFormat {
  return checkChoice('slow', value, SLOW_FORMATS);
}
