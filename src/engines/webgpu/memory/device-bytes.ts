// What the device takes for buffers, which can be more than what was asked for.

/** Counts buffers as one way of allocating takes them from the device. */
export interface DeviceBytes {
  /** Taken from the device now. */
  readonly bytes: number;
  /** The same if a buffer of `size` were made too. */
  with(size: number, usage: GPUBufferUsageFlags): number;
  made(size: number, usage: GPUBufferUsageFlags): void;
  destroyed(size: number, usage: GPUBufferUsageFlags): void;
  /** The device is gone, with all of them. */
  reset(): void;
}

/** Each buffer is an allocation of its own: Dawn in Node, as slowlane starts it. */
export class ApartBytes implements DeviceBytes {
  bytes = 0;

  with(size: number): number {
    return this.bytes + size;
  }

  made(size: number): void {
    this.bytes += size;
  }

  destroyed(size: number): void {
    this.bytes -= size;
  }

  reset(): void {
    this.bytes = 0;
  }
}

const MAPPABLE = 0x1 | 0x2; // MAP_READ | MAP_WRITE
const SMALL_BYTES = 4 * 2 ** 20;
const HEAP_BYTES = 8 * 2 ** 20;

/**
 * Dawn as a browser starts it: a buffer under 4 MiB that the host cannot map is rounded up to a power of two and placed in
 * a heap of 8 MiB. Heaps are never given back, so those that were needed at the peak count. Gaps that free buffers leave
 * in a heap are not seen.
 */
export class SubAllocatedBytes implements DeviceBytes {
  #apartBytes = 0;
  /** Rounded. */
  #smallBytes = 0;
  #heapBytes = 0;

  get bytes(): number {
    return this.#apartBytes + this.#heapBytes;
  }

  with(size: number, usage: GPUBufferUsageFlags): number {
    if (!isSmall(size, usage)) return this.bytes + size;
    return this.#apartBytes + this.#heapsFor(this.#smallBytes + rounded(size));
  }

  made(size: number, usage: GPUBufferUsageFlags): void {
    if (!isSmall(size, usage)) {
      this.#apartBytes += size;
      return;
    }
    this.#smallBytes += rounded(size);
    this.#heapBytes = this.#heapsFor(this.#smallBytes);
  }

  destroyed(size: number, usage: GPUBufferUsageFlags): void {
    if (isSmall(size, usage)) this.#smallBytes -= rounded(size);
    else this.#apartBytes -= size;
  }

  reset(): void {
    this.#apartBytes = 0;
    this.#smallBytes = 0;
    this.#heapBytes = 0;
  }

  #heapsFor(smallBytes: number): number {
    return Math.max(this.#heapBytes, HEAP_BYTES * Math.ceil(smallBytes / HEAP_BYTES));
  }
}

function isSmall(size: number, usage: GPUBufferUsageFlags): boolean {
  return size < SMALL_BYTES && (usage & MAPPABLE) === 0;
}

function rounded(size: number): number {
  return 2 ** Math.ceil(Math.log2(size));
}
