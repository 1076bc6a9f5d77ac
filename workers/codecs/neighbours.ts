/** Between which stored values a value lies: what its rounding chooses from. For statistics; nothing is stored by it. */
import { int8Value, roundInt8 } from './block-int8.js';
import { brainHalfValue, roundBrainHalf } from './brain-half.js';
import { halfValue, roundHalf } from './half.js';
import { halfResidualValue, roundHalfResidual } from './half-residual.js';
import type { ValueFormat } from './value-format.js';

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** Random bits that round up wherever something is left below, and those that never do. */
const ALWAYS_UP = 0;
const NEVER_UP = 0xffff_ffff;

/**
 * The stored values on both sides of `x`, in any order; twice `x` if it is one itself. `largest`: of the block, as
 * `largestBits` gives it (int8).
 */
export function neighboursIn(format: ValueFormat, x: number, largest: number): [number, number] {
  const one = roundedIn(format, x, ALWAYS_UP, largest);
  if (format === 'f32') return [one, one === x ? x : nextFloat(one, x)];
  return [one, roundedIn(format, x, NEVER_UP, largest)];
}

/** `x` as it would be stored by the random bits `r`; float32 rounds to nearest. */
function roundedIn(format: ValueFormat, x: number, r: number, largest: number): number {
  switch (format) {
    case 'f32':
      return Math.fround(x);
    case 'f16':
      return halfValue(roundHalf(x, r));
    case 'bf16':
      return brainHalfValue(roundBrainHalf(x, r));
    case 'f16r8': {
      const both = roundHalfResidual(x, r);
      return halfResidualValue(both & 0xffff, (both << 8) >> 24);
    }
    case 'int8':
      return int8Value(roundInt8(x, largest, r), largest);
    default:
      return format satisfies never;
  }
}

/** The float32 after `from` on the way to `to`. */
function nextFloat(from: number, to: number): number {
  value[0] = from;
  const isPending = from === 0 || from > 0 === to > from;
  bits[0] = bits[0]! + (isPending ? 1 : -1);
  return value[0];
}
