// Bytes that wait in host memory and go to the device and back, in two buffers.
//
// A device can copy from an upload buffer and to a download buffer, and to neither of them the other way. So
// what waits goes up from the one, comes back in the other, and the host brings it round. In between
// both are mapped and hold the same bytes: the upload buffer is for writing (reading it can be slow, since
// drivers do not cache it), the download buffer for reading.

import type { HostBuffers } from './host-buffers.js';
import type { Slices } from './slices.js';

export class MappedPair {
  readonly bytes: number;
  readonly upload: GPUBuffer;
  readonly download: GPUBuffer;
  /** Null while the device has the buffer. */
  #writable: Uint8Array | null;
  #readable: Uint8Array | null;

  /** Of zeros. Throws OUT_OF_MEMORY if the system has no memory for it. */
  constructor(bytes: number, buffers: HostBuffers) {
    const { MAP_READ, MAP_WRITE, COPY_SRC, COPY_DST } = GPUBufferUsage;
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

  /** False while the device has a buffer of it, and for good if it did not come back. */
  get isHere(): boolean {
    return this.#writable !== null && this.#readable !== null;
  }

  /** For the moment. What is written here has to be written to `writable` too. */
  get readable(): Uint8Array {
    return theHosts(this.#readable);
  }

  /** For the moment, and not to be read. */
  get writable(): Uint8Array {
    return theHosts(this.#writable);
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
  async map(): Promise<void> {
    const maps: Promise<void>[] = [];
    if (this.#writable === null) maps.push(this.upload.mapAsync(GPUMapMode.WRITE));
    if (this.#readable === null) maps.push(this.download.mapAsync(GPUMapMode.READ));
    await Promise.all(maps);
    this.#writable ??= new Uint8Array(this.upload.getMappedRange());
    this.#readable ??= new Uint8Array(this.download.getMappedRange());
  }

  /** What came down is what goes up next. */
  async bringRound(slices: Slices): Promise<void> {
    await slices.copy(this.readable, this.writable);
  }

  /** What came down is not to be trusted: what went up stays. */
  async keepOld(slices: Slices): Promise<void> {
    await slices.copy(this.writable, this.readable);
  }
}

function theHosts(range: Uint8Array | null): Uint8Array {
  if (range !== null) return range;
  throw new Error('The device has these bytes: wait until they are back.');
}
