// Every buffer of the backend: the accountant and the pool of freed buffers in one.
//
// Takes the place of tfjs's BufferManager, which never destroys a buffer. Two promises: the sum of all
// buffers, free ones and host-mappable ones included, never passes the budget; and a buffer that the last
// steps did not use is destroyed. The budget counts what the device takes for a buffer, as device-bytes.ts knows it; a
// destroyed buffer is the driver's until commands already submitted are done with it.

import { GpuError } from '../gpu-error.js';
import type { BufferManagerLike } from '../../../tfjs/webgpu-backend.js';
import type { Breakdown, Category, Place } from '../../../engine/categories.js';
import type { DeviceBytes } from './device-bytes.js';
import { VramBudgetError } from './vram-budget-error.js';

export interface PoolOwner {
  readonly device: GPUDevice;
  /** Infinity for none. */
  readonly budgetBytes: number;
  /** What the device takes for the buffers of this pool. */
  readonly deviceBytes: DeviceBytes;
  /** Submits the recorded commands, which frees disposed data that they use. */
  flush(): void;
  /** True if disposed data with a buffer of this size waits for the next submission. */
  isPending(bytes: number): boolean;
  /** What a buffer made now is for. */
  currentCategory(): Category;
  /** Bytes on the device that are not buffers. */
  otherBytes(): number;
  breakdown(): Breakdown;
  /** The device had no memory for a buffer. */
  report(error: GpuError): void;
}

/** Reports what happens in a buffer pool to a meter. */
export interface PoolWatcher {
  /** A buffer moves next, or may: `takes` if it is one to use. */
  before(takes: boolean): void;
  /** `buffer`, as the pool has it listed, left `from` for `to`. */
  moved(buffer: GPUBuffer, from: Place, to: Place): void;
}

/** No meter is running. */
export const NO_WATCHER: PoolWatcher = { before() {}, moved() {} };

interface FreeBuffer {
  readonly buffer: GPUBuffer;
  /** The tick in which it was last in use. */
  readonly usedAt: number;
}

/**
 * From this size on a submission now, which frees what was disposed, is better than one more buffer: a
 * backward pass that releases its gradients then needs the memory of one, not of all since the last submission.
 */
const WORTH_A_SUBMISSION = 256 * 1024;

const MAPPABLE = 0x1 | 0x2; // MAP_READ | MAP_WRITE
const UNIFORM = 0x40;
const STORAGE = 0x80;

export class BufferPool implements BufferManagerLike {
  readonly #owner: PoolOwner;
  readonly #used = new Map<GPUBuffer, Category>();
  /** By size and usage; the most recently used last. */
  readonly #free = new Map<string, FreeBuffer[]>();
  /** Buffers that the device had no memory for: never to be used again. */
  readonly #invalid = new WeakSet<GPUBuffer>();
  #numFree = 0;
  #tick = 0;
  #isDisposed = false;
  numBytesUsed = 0;
  /** As they were asked for. */
  numBytesAllocated = 0;
  /** The most that the device took so far. */
  peakBytes = 0;
  watcher: PoolWatcher = NO_WATCHER;

  constructor(owner: PoolOwner) {
    this.#owner = owner;
  }

  /** Buffers in use, with the category they were allocated under. */
  get used(): ReadonlyMap<GPUBuffer, Category> {
    return this.#used;
  }

  acquireBuffer(
    size: number,
    usage: GPUBufferUsageFlags,
    mappedAtCreation = false,
    reuse = true,
  ): GPUBuffer {
    this.watcher.before(true);
    const key = `${size}_${usage}`;
    let buffer = reuse ? this.#takeFree(key) : undefined;
    if (
      buffer === undefined &&
      reuse &&
      size >= WORTH_A_SUBMISSION &&
      this.#owner.isPending(size)
    ) {
      this.#owner.flush();
      buffer = this.#takeFree(key);
    }
    if (buffer === undefined) {
      this.#checkLimits(size, usage);
      this.makeRoom(size, usage);
      // Making room may have freed one that fits.
      buffer = reuse ? this.#takeFree(key) : undefined;
    }
    const isReused = buffer !== undefined;
    buffer ??= this.#create(size, usage, mappedAtCreation);
    const isStaging = (usage & (MAPPABLE | UNIFORM)) !== 0;
    const category = isStaging ? 'staging' : this.#owner.currentCategory();
    this.#used.set(buffer, category);
    this.numBytesUsed += size;
    this.watcher.moved(buffer, isReused ? 'pool' : 'free', category);
    return buffer;
  }

  releaseBuffer(buffer: GPUBuffer, reuse = true): void {
    // Tensors may outlive the backend.
    if (this.#isDisposed) return;
    const category = this.#used.get(buffer);
    if (category === undefined) {
      // As tfjs does: whoever releases a buffer twice would hand it to two tensors.
      throw new Error('Cannot find the buffer in buffer manager');
    }
    this.watcher.before(false);
    this.#used.delete(buffer);
    this.numBytesUsed -= buffer.size;
    if (!reuse || this.#invalid.has(buffer)) {
      this.#destroy(buffer, category);
      return;
    }
    this.watcher.moved(buffer, category, 'pool');
    const key = `${buffer.size}_${buffer.usage}`;
    const free = this.#free.get(key) ?? [];
    this.#free.set(key, free);
    free.push({ buffer, usedAt: this.#tick });
    this.#numFree += 1;
  }

  /** What `buffer`, which is in use, is for after all. */
  relabel(buffer: GPUBuffer, category: Category): void {
    const before = this.#used.get(buffer);
    if (before === undefined) return;
    this.watcher.before(false);
    this.#used.set(buffer, category);
    this.watcher.moved(buffer, before, category);
  }

  /** Makes a buffer fit under the budget: submits, then destroys free buffers. Throws if it cannot. */
  makeRoom(size: number, usage: GPUBufferUsageFlags): void {
    const { budgetBytes, deviceBytes } = this.#owner;
    const takenBytes = () => deviceBytes.with(size, usage) + this.#owner.otherBytes();
    if (takenBytes() <= budgetBytes) return;
    this.#owner.flush();
    this.#destroyFree(() => takenBytes() > budgetBytes);
    if (takenBytes() <= budgetBytes) return;
    throw new VramBudgetError(size, budgetBytes, takenBytes(), this.#owner.breakdown());
  }

  /** A new step, or the like. Destroys the free buffers that none of the last `ticks` ones used. */
  tick(ticks: number): void {
    this.#tick += 1;
    const before = this.#tick - ticks;
    const isIdle = ({ usedAt }: FreeBuffer) => usedAt < before;
    // The first of each size is the one longest unused.
    if (![...this.#free.values()].some((free) => free[0] !== undefined && isIdle(free[0]))) return;
    // Commands that are recorded and not submitted may still name a buffer that is free by now.
    this.#owner.flush();
    this.#destroyFree(isIdle);
  }

  /** Destroys all free buffers. */
  trim(): void {
    this.#owner.flush();
    this.#destroyFree(() => true);
  }

  getNumUsedBuffers(): number {
    return this.#used.size;
  }

  getNumFreeBuffers(): number {
    return this.#numFree;
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const buffer of this.#used.keys()) buffer.destroy();
    for (const free of this.#free.values()) for (const { buffer } of free) buffer.destroy();
    this.#used.clear();
    this.#free.clear();
    this.#numFree = 0;
    this.numBytesUsed = 0;
    this.numBytesAllocated = 0;
    this.#owner.deviceBytes.reset();
  }

  #takeFree(key: string): GPUBuffer | undefined {
    const buffer = this.#free.get(key)?.pop()?.buffer;
    if (buffer !== undefined) this.#numFree -= 1;
    return buffer;
  }

  /** Destroys free buffers for which `isChosen`, asked of the least recently used ones first. */
  #destroyFree(isChosen: (free: FreeBuffer) => boolean): void {
    const all = [...this.#free.values()].flat().toSorted((a, b) => a.usedAt - b.usedAt);
    const chosen = new Set<FreeBuffer>();
    for (const free of all) {
      if (!isChosen(free)) continue;
      chosen.add(free);
      this.#destroy(free.buffer, 'pool');
    }
    this.#numFree -= chosen.size;
    for (const [key, free] of this.#free) {
      const kept = free.filter((one) => !chosen.has(one));
      if (kept.length === 0) this.#free.delete(key);
      else this.#free.set(key, kept);
    }
  }

  #destroy(buffer: GPUBuffer, from: Category): void {
    buffer.destroy();
    this.numBytesAllocated -= buffer.size;
    this.#owner.deviceBytes.destroyed(buffer.size, buffer.usage);
    this.watcher.moved(buffer, from, 'free');
  }

  #create(size: number, usage: GPUBufferUsageFlags, mappedAtCreation: boolean): GPUBuffer {
    const { device } = this.#owner;
    device.pushErrorScope('out-of-memory');
    let buffer: GPUBuffer;
    try {
      buffer = device.createBuffer({ size, usage, mappedAtCreation });
    } catch (cause) {
      // Only a mapped buffer can fail at once.
      void device.popErrorScope().catch(() => null);
      throw this.#noMemory(size, cause);
    }
    void device
      .popErrorScope()
      .catch(() => null) // A lost device; heard elsewhere.
      .then((error) => {
        if (error === null) return;
        this.#invalid.add(buffer);
        this.#destroyFree((free) => free.buffer === buffer);
        this.#owner.report(this.#noMemory(size, error));
      });
    const { deviceBytes } = this.#owner;
    this.numBytesAllocated += size;
    deviceBytes.made(size, usage);
    this.peakBytes = Math.max(this.peakBytes, deviceBytes.bytes + this.#owner.otherBytes());
    return buffer;
  }

  #noMemory(neededBytes: number, cause: unknown): GpuError {
    return new GpuError(
      'out-of-memory',
      `The GPU has no memory for ${neededBytes} more bytes; ${this.numBytesAllocated} are allocated. Use a ` +
        `smaller batch, and a vramBudget that leaves room for other programs on this GPU.`,
      { neededBytes, allocatedBytes: this.numBytesAllocated },
      { cause },
    );
  }

  #checkLimits(neededBytes: number, usage: GPUBufferUsageFlags): void {
    const { limits } = this.#owner.device;
    const limit =
      (usage & STORAGE) !== 0 && limits.maxStorageBufferBindingSize < limits.maxBufferSize
        ? 'maxStorageBufferBindingSize'
        : 'maxBufferSize';
    if (neededBytes <= limits[limit]) return;
    throw new GpuError(
      'limit',
      `A tensor of ${neededBytes} bytes is more than this GPU takes in one buffer (${limit} is ` +
        `${limits[limit]} bytes). Split it, or use a smaller batch.`,
      { neededBytes, limit, limitBytes: limits[limit] },
    );
  }
}
