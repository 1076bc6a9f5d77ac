// Buffers in host memory that the device copies from and to: mappable ones. On a GPU with memory of its own
// they take none of it, so they are counted apart from the budget.

import { SlowlaneError } from '../../../checks/errors.js';
import { formatBytes } from '../../../checks/quantities.js';
import { mapped } from '../waiting.js';

/** Something that has bytes in these buffers. */
export interface Rescuable {
  /** Resolves when the device has given back what it has, or will not; null: it has nothing. */
  allBack(): Promise<void> | null;
  /** Called after that, before the device is destroyed and the buffers with it. */
  rescue(): void;
}

export class HostBuffers {
  readonly #device: GPUDevice;
  /** Weak, because nobody has to dispose of a Lookahead. */
  readonly #rescuable = new Set<WeakRef<Rescuable>>();
  #bytes = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A mapped buffer of zeros. Throws OUT_OF_MEMORY if the system has no memory for it. */
  create(size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    let buffer: GPUBuffer;
    try {
      buffer = this.#device.createBuffer({ size, usage, mappedAtCreation: true });
    } catch (cause) {
      throw new SlowlaneError(
        'OUT_OF_MEMORY',
        `The system has no ${formatBytes(size)} of host memory for slow weights or moments; ` +
          `${formatBytes(this.#bytes)} are in use. Free memory, use slow: 'host:f16' and moments: 'host:q8' or ` +
          `'device:q8', or exclude large weights from Lookahead with overrides: [{ weights, exclude: true }].`,
        { neededBytes: size, usedBytes: this.#bytes },
        { cause },
      );
    }
    this.#bytes += size;
    return buffer;
  }

  /** Maps a buffer that the device has. Resolves when the device is done with it. */
  map(buffer: GPUBuffer, mode: number): Promise<void> {
    return mapped(this.#device, buffer, mode);
  }

  destroy(buffer: GPUBuffer): void {
    buffer.destroy();
    this.#bytes -= buffer.size;
  }

  /** Counts plain memory that took over from buffers. `bytes` is negative once it is let go. */
  countPlain(bytes: number): void {
    this.#bytes += bytes;
  }

  /** `owner` is told before the device is destroyed, if it is still there then. */
  watch(owner: Rescuable): void {
    for (const known of this.#rescuable) if (!known.deref()) this.#rescuable.delete(known);
    this.#rescuable.add(new WeakRef(owner));
  }

  /** Resolves when the device may be destroyed, after `rescue`; null: at once. */
  allBack(): Promise<void> | null {
    const waits = [...this.#rescuable].flatMap((known) => known.deref()?.allBack() ?? []);
    return waits.length === 0 ? null : Promise.all(waits).then(() => undefined);
  }

  /** The device is about to be destroyed. */
  rescue(): void {
    for (const known of this.#rescuable) known.deref()?.rescue();
    this.#rescuable.clear();
  }
}
