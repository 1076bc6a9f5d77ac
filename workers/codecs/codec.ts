/**
 * Float32 ⇄ quantized values, for each format that rounds: the reference that the kernels in WebAssembly and WGSL
 * must equal to the bit.
 */
import { int8Value, largestBits, roundInt8 } from './block-int8.js';
import { brainHalfValue, roundBrainHalf } from './brain-half.js';
import { halfValue, roundHalf } from './half.js';
import { halfResidualValue, roundHalfResidual } from './half-residual.js';
import { type Draw, drawBits } from './random-bits.js';
import { GROUPS, type QuantizedFormat } from './value-format.js';

export interface Codec {
  /**
   * Rounds `from`, which `fitsIn` the format, into whole groups at `into`, which begins at a multiple of 4
   * bytes; padding behind the last element stays as it is. `start`: the first element within the variable, a
   * multiple of the group's.
   */
  encode(from: Float32Array, into: Uint8Array, start: number, draw: Draw): void;
  /** The values of `into.length` elements. */
  decode(from: Uint8Array, into: Float32Array): void;
}

/** Calls `round` for each of `from`, with its own random bits. */
function eachWithBits(
  from: Float32Array,
  start: number,
  draw: Draw,
  round: (i: number, x: number, r: number) => void,
): void {
  const random = new Uint32Array(4);
  for (let i = 0; i < from.length; i++) {
    if (i % 4 === 0) drawBits((start + i) / 4, draw, random);
    round(i, from[i]!, random[i % 4]!);
  }
}

function words16({ buffer, byteOffset, byteLength }: Uint8Array): Uint16Array {
  return new Uint16Array(buffer, byteOffset, byteLength >> 1);
}

/** Two bytes an element. */
function sixteenBits(
  round: (x: number, r: number) => number,
  valueOf: (half: number) => number,
): Codec {
  return {
    encode(from, into, start, draw) {
      const halves = words16(into);
      eachWithBits(from, start, draw, (i, x, r) => (halves[i] = round(x, r)));
    },
    decode(from, into) {
      const halves = words16(from);
      for (let i = 0; i < into.length; i++) into[i] = valueOf(halves[i]!);
    },
  };
}

/** Groups of four fp16 and four residuals. */
const halfResidual: Codec = {
  encode(from, into, start, draw) {
    const halves = words16(into);
    eachWithBits(from, start, draw, (i, x, r) => {
      const both = roundHalfResidual(x, r);
      const [group, within] = [i >> 2, i & 3];
      halves[group * 6 + within] = both;
      into[group * 12 + 8 + within] = both >>> 16;
    });
  },
  decode(from, into) {
    const halves = words16(from);
    for (let i = 0; i < into.length; i++) {
      const [group, within] = [i >> 2, i & 3];
      const residual = (from[group * 12 + 8 + within]! << 24) >> 24;
      into[i] = halfResidualValue(halves[group * 6 + within]!, residual);
    }
  },
};

/** Groups of the block's largest magnitude and 256 codes. */
const blockInt8: Codec = {
  encode(from, into, start, draw) {
    const { elements, bytes } = GROUPS.int8;
    for (let at = 0, byte = 0; at < from.length; at += elements, byte += bytes) {
      const block = from.subarray(at, at + elements);
      const largest = largestBits(block);
      new Uint32Array(into.buffer, into.byteOffset + byte, 1)[0] = largest;
      eachWithBits(block, start + at, draw, (i, x, r) => {
        into[byte + 4 + i] = roundInt8(x, largest, r);
      });
    }
  },
  decode(from, into) {
    const { elements, bytes } = GROUPS.int8;
    for (let at = 0, byte = 0; at < into.length; at += elements, byte += bytes) {
      const largest = new Uint32Array(from.buffer, from.byteOffset + byte, 1)[0]!;
      const end = Math.min(at + elements, into.length);
      for (let i = at; i < end; i++) {
        into[i] = int8Value((from[byte + 4 + i - at]! << 24) >> 24, largest);
      }
    }
  },
};

export const CODECS: Readonly<Record<QuantizedFormat, Codec>> = {
  f16r8: halfResidual,
  f16: sixteenBits(roundHalf, halfValue),
  bf16: sixteenBits(roundBrainHalf, brainHalfValue),
  int8: blockInt8,
};
