// One piece of the slow weights, packed, in two buffers of host memory.
//
// A device can copy from an upload buffer and to a download buffer, and to neither of them the other way. So
// slow values go up from the one, come back in the other, and the host brings them round. Between syncs
// both are mapped and hold the same bytes: the upload buffer is for writing (reading it can be slow, since
// drivers do not cache it), the download buffer for reading.

import type { PackedPart } from '../../../slow/packed-layout.js';
import { copyInSlices, type Pace } from './copy-in-slices.js';
import type { HostBuffers } from '../host-buffers.js';

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

  /** The packed values of a part: a view for the moment, not to be written. */
  bytesOf({ offset, length, format }: PackedPart<W>): Float32Array | Uint16Array {
    const { buffer } = theHosts(this.#readable);
    return format === 'f32'
      ? new Float32Array(buffer, offset, length)
      : new Uint16Array(buffer, offset, length);
  }

  /** Calls `fill` with the memory of a part's packed values, twice: for each of the buffers. */
  write(
    { offset, length, format }: PackedPart<W>,
    fill: (into: Float32Array | Uint16Array) => void,
  ): void {
    for (const { buffer } of [theHosts(this.#readable), theHosts(this.#writable)]) {
      fill(
        format === 'f32'
          ? new Float32Array(buffer, offset, length)
          : new Uint16Array(buffer, offset, length),
      );
    }
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

  /** What came back is what goes up next: downloaded bytes to the upload buffer, or the other way round. */
  async even(way: 'down to up' | 'up to down', pace: Pace): Promise<void> {
    const [up, down] = [theHosts(this.#writable), theHosts(this.#readable)];
    if (way === 'down to up') await copyInSlices(down, up, pace);
    else await copyInSlices(up, down, pace);
  }
}

function theHosts(range: Uint8Array | null): Uint8Array {
  if (range !== null) return range;
  throw new Error('The device has these slow weights: wait for ready() first.');
}
