// One piece of the slow weights, packed, in two buffers of host memory.
//
// A device can copy from an upload buffer and to a download buffer, and to neither of them the other way. So
// slow values go up from the one, come back in the other, and the host brings them round. Between syncs
// both are mapped and hold the same bytes: the upload buffer is for writing (reading it can be slow, since
// drivers do not cache it), the download buffer for reading.

import { CODECS } from '../../../../workers/codecs/codec.js';
import type { Draw } from '../../../../workers/codecs/random-bits.js';
import { packedBytes } from '../../../../workers/codecs/value-format.js';
import type { PackedPart } from '../../../slow/packed-layout.js';
import type { HostBuffers } from '../host-buffers.js';
import type { Slices } from './slices.js';

export class Piece<W> {
  readonly bytes: number;
  readonly upload: GPUBuffer;
  readonly download: GPUBuffer;
  /** Those that are not dropped. */
  parts: readonly PackedPart<W>[];
  /** Null while the device has the buffer. */
  #writable: Uint8Array | null;
  #readable: Uint8Array | null;

  /** Its values are zero. */
  constructor(parts: readonly PackedPart<W>[], bytes: number, buffers: HostBuffers) {
    const { MAP_READ, MAP_WRITE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    this.parts = parts;
    this.bytes = bytes;
    this.upload = buffers.create(bytes, MAP_WRITE | COPY_SRC);
    try {
      this.download = buffers.create(bytes, MAP_READ | COPY_DST);
    } catch (error) {
      buffers.destroy(this.upload);
      throw error;
    }
    this.#writable = new Uint8Array(this.upload.getMappedRange());
    this.#readable = new Uint8Array(this.download.getMappedRange());
  }

  destroy(buffers: HostBuffers): void {
    this.#writable = null;
    this.#readable = null;
    buffers.destroy(this.upload);
    buffers.destroy(this.download);
  }

  /** Forgets the parts of `item`. */
  drop(item: W): void {
    this.parts = this.parts.filter((part) => part.item !== item);
  }

  /** The slow values of a part: for the moment, not to be written. */
  values(part: PackedPart<W>): Float32Array {
    const packed = bytesOf(theHosts(this.#readable), part);
    if (part.format === 'f32') return floatsOf(packed);
    const values = new Float32Array(part.length);
    CODECS[part.format].decode(packed, values);
    return values;
  }

  /** Gives a part its slow values, rounded by `draw` if they have to be. */
  write(part: PackedPart<W>, values: Float32Array, draw: Draw): void {
    const packed = bytesOf(theHosts(this.#readable), part);
    if (part.format === 'f32') floatsOf(packed).set(values);
    else CODECS[part.format].encode(values, packed, part.start, draw);
    theHosts(this.#writable).set(packed, part.offset);
  }

  /** False while the device has a buffer of it, and for good if it did not come back. */
  get isHere(): boolean {
    return this.#writable !== null && this.#readable !== null;
  }

  /** Hands the upload buffer to the device; with `both` the download buffer too. */
  handOver(both: boolean): void {
    this.#writable = null;
    this.upload.unmap();
    if (!both) return;
    this.#readable = null;
    this.download.unmap();
  }

  /** Takes back what was handed over, once the device is done with it. */
  async takeBack(): Promise<void> {
    const maps: Promise<void>[] = [];
    if (this.#writable === null) maps.push(this.upload.mapAsync(GPUMapMode.WRITE));
    if (this.#readable === null) maps.push(this.download.mapAsync(GPUMapMode.READ));
    await Promise.all(maps);
    this.#writable ??= new Uint8Array(this.upload.getMappedRange());
    this.#readable ??= new Uint8Array(this.download.getMappedRange());
  }

  /** What came down is what goes up next. */
  async bringRound(slices: Slices): Promise<void> {
    await slices.copy(theHosts(this.#readable), theHosts(this.#writable));
  }

  /** What came down is not to be trusted: what went up stays. */
  async keepOld(slices: Slices): Promise<void> {
    await slices.copy(theHosts(this.#writable), theHosts(this.#readable));
  }
}

function bytesOf<W>(range: Uint8Array, { offset, length, format }: PackedPart<W>): Uint8Array {
  return range.subarray(offset, offset + packedBytes(format, length));
}

function floatsOf({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

function theHosts(range: Uint8Array | null): Uint8Array {
  if (range !== null) return range;
  throw new Error('The device has these slow weights: wait for ready() first.');
}
