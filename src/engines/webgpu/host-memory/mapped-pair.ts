// Bytes in host memory that go to the device and back, in two buffers.
//
// A device can copy from an upload buffer and to a download buffer, but not the other way. So the bytes go up from one
// buffer and come back in the other, and the host copies them over. In between both are mapped and hold the same
// bytes: the upload buffer for writing (drivers do not cache it, so reading it can be slow), the other for reading.

import type { HostBuffers } from './host-buffers.js';
import type { Slices } from './slices.js';

export class MappedPair {
  readonly bytes: number;
  readonly upload: GPUBuffer;
  readonly download: GPUBuffer;
  readonly #buffers: HostBuffers;
  /** Null while the device has the buffer. */
  #writable: Uint8Array | null;
  #readable: Uint8Array | null;

  /** Makes a pair of zeros. Throws OUT_OF_MEMORY if the system has no memory for it. */
  constructor(bytes: number, buffers: HostBuffers) {
    const { MAP_READ, MAP_WRITE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    this.bytes = bytes;
    this.#buffers = buffers;
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

  destroy(): void {
    this.#buffers.destroy(this.upload);
    this.#buffers.destroy(this.download);
    this.#writable = null;
    this.#readable = null;
  }

  /** False while the device has one of the buffers, and from then on if it did not return it. */
  get isHere(): boolean {
    return this.#writable !== null && this.#readable !== null;
  }

  /** Valid until `handOver`. Write the same bytes to `writable` too. */
  get readable(): Uint8Array {
    return theHosts(this.#readable);
  }

  /** Valid until `handOver`. Do not read it. */
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

  /** Maps the buffers that were handed over. Resolves once the device has finished with them. */
  async map(): Promise<void> {
    const maps: Promise<void>[] = [];
    if (this.#writable === null) maps.push(this.#buffers.map(this.upload, GPUMapMode.WRITE));
    if (this.#readable === null) maps.push(this.#buffers.map(this.download, GPUMapMode.READ));
    await Promise.all(maps);
    this.#writable ??= new Uint8Array(this.upload.getMappedRange());
    this.#readable ??= new Uint8Array(this.download.getMappedRange());
  }

  /** The downloaded bytes go up next. */
  async keepDownload(slices: Slices): Promise<void> {
    await slices.copy(this.readable, this.writable);
  }

  /** The download is not trusted: the uploaded bytes stay. */
  async keepUpload(slices: Slices): Promise<void> {
    await slices.copy(this.writable, this.readable);
  }
}

function theHosts(range: Uint8Array | null): Uint8Array {
  if (range !== null) return range;
  throw new Error('The device has these bytes: wait until they are back.');
}
