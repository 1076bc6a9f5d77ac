// One piece of the slow weights, quantized, in host memory.

import { CODECS } from '../../../../workers/codecs/codec.js';
import type { Draw } from '../../../../workers/codecs/random-bits.js';
import { storedBytes } from '../../../../workers/codecs/value-format.js';
import type { QuantizedPart } from '../../../slow/quantized-layout.js';
import type { HostBuffers } from '../host-memory/host-buffers.js';
import { MappedPair } from '../host-memory/mapped-pair.js';

export class HostPiece<W> extends MappedPair {
  /** Those that are not dropped. */
  parts: readonly QuantizedPart<W>[];

  /** Its values are zero. */
  constructor(parts: readonly QuantizedPart<W>[], bytes: number, buffers: HostBuffers) {
    super(bytes, buffers);
    this.parts = parts;
  }

  /** Forgets the parts of `item`. */
  drop(item: W): void {
    this.parts = this.parts.filter((part) => part.item !== item);
  }

  /** The slow values of a part: for the moment, not to be written. */
  values(part: QuantizedPart<W>): Float32Array {
    const quantized = bytesOf(this.readable, part);
    if (part.format === 'f32') return floatsOf(quantized);
    const values = new Float32Array(part.length);
    CODECS[part.format].decode(quantized, values);
    return values;
  }

  /** Gives a part its slow values, rounded by `draw` if they have to be. */
  write(part: QuantizedPart<W>, values: Float32Array, draw: Draw): void {
    const quantized = bytesOf(this.readable, part);
    if (part.format === 'f32') floatsOf(quantized).set(values);
    else CODECS[part.format].encode(values, quantized, part.start, draw);
    this.writable.set(quantized, part.offset);
  }
}

function bytesOf<W>(range: Uint8Array, { offset, length, format }: QuantizedPart<W>): Uint8Array {
  return range.subarray(offset, offset + storedBytes(format, length));
}

function floatsOf({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}
