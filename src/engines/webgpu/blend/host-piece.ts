// One piece of the slow weights, quantized, in plain host memory.

import { CODECS } from '../../../../workers/codecs/codec.js';
import type { Draw } from '../../../../workers/codecs/random-bits.js';
import { storedBytes } from '../../../../workers/codecs/value-format.js';
import type { QuantizedPart } from '../../../slow/quantized-layout.js';

export class HostPiece<W> {
  /** Those that are not dropped. */
  parts: readonly QuantizedPart<W>[];
  /** What the device gets and gives back. */
  readonly memory: Uint8Array;

  /** `memory` holds zeros. */
  constructor(parts: readonly QuantizedPart<W>[], memory: Uint8Array) {
    this.parts = parts;
    this.memory = memory;
  }

  get bytes(): number {
    return this.memory.length;
  }

  /** Forgets the parts of `item`. */
  drop(item: W): void {
    this.parts = this.parts.filter((part) => part.item !== item);
  }

  /** The slow values of a part: for the moment, not to be written. */
  values(part: QuantizedPart<W>): Float32Array {
    const quantized = bytesOf(this.memory, part);
    if (part.format === 'f32') return floatsOf(quantized);
    const values = new Float32Array(part.length);
    CODECS[part.format].decode(quantized, values);
    return values;
  }

  /** Gives a part its slow values, rounded by `draw` if they have to be. */
  write(part: QuantizedPart<W>, values: Float32Array, draw: Draw): void {
    const quantized = bytesOf(this.memory, part);
    if (part.format === 'f32') floatsOf(quantized).set(values);
    else CODECS[part.format].encode(values, quantized, part.start, draw);
  }
}

function bytesOf<W>(memory: Uint8Array, { offset, length, format }: QuantizedPart<W>): Uint8Array {
  return memory.subarray(offset, offset + storedBytes(format, length));
}

function floatsOf({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}
