// Where `bench sync` has slow weights. Names and words only, so that --help loads no TensorFlow.js.

import { type SlowFormat, SLOW_FORMATS, valueFormat } from '../../slow/slow-format.js';

/** `variables`: as one writes it without slowlane, in plain ops on the device. */
export type SlowPlace = SlowFormat | 'variables';

export const SLOW_PLACES: readonly SlowPlace[] = [...SLOW_FORMATS, 'variables'];

/** In host memory: what goes over the bus. */
export const HOST_FORMATS = SLOW_FORMATS.filter((format) => format.startsWith('host:'));

/** False where layers of this width would be kept in float32 under another name. */
export function isQuantized(slow: SlowPlace, width: number): boolean {
  if (slow === 'variables' || slow.endsWith(':f32')) return true;
  return valueFormat(slow, { shape: [width, width], slot: null }) !== 'f32';
}
