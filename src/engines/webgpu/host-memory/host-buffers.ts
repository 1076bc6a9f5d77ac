// Host memory for slow weights and moments, counted apart from the budget: plain memory, and mappable buffers, which the
// device copies from and to. Where an implementation puts those is its own choice: docs/decisions/0004-device-blend.md.

import { SlowlaneError } from '../../../checks/errors.js';
import { formatBytes } from '../../../checks/quantities.js';
import { mapped } from '../waiting.js';

/** Who may have bytes on their way to the host. */
export interface Returning {
  /** Resolves when the device has given back what it has, or will not; null: it has nothing. */
  allBack(): Promise<void> | null;
}

export class HostBuffers {
  readonly #device: GPUDevice;
  /** Weak, because nobody has to dispose of a Lookahead. */
  readonly #returning = new Set<WeakRef<Returning>>();
  #bytes = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A mapped buffer of zeros. Throws OUT_OF_MEMORY if the system has no memory for it. */
  create(size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    return this.#counted(size, () =>
      this.#device.createBuffer({ size, usage, mappedAtCreation: true }),
    );
  }

  /** Maps a buffer that the device has. Resolves when the device is done with it. */
  map(buffer: GPUBuffer, mode: number): Promise<void> {
    return mapped(this.#device, buffer, mode);
  }

  destroy(buffer: GPUBuffer): void {
    buffer.destroy();
    this.#bytes -= buffer.size;
  }

  /** Zeros in memory that the device does not reach, and that outlives it. Throws OUT_OF_MEMORY if there is none. */
  createPlain(size: number): Uint8Array {
    return this.#counted(size, () => new Uint8Array(size));
  }

  /** Nobody uses it any more: the garbage collector frees it. */
  forgetPlain(memory: Uint8Array): void {
    this.#bytes -= memory.length;
  }

  /** The device is not destroyed before `owner` has back what is on its way. */
  watch(owner: Returning): void {
    for (const known of this.#returning) if (!known.deref()) this.#returning.delete(known);
    this.#returning.add(new WeakRef(owner));
  }

  /** Resolves when the device may be destroyed; null: at once. */
  allBack(): Promise<void> | null {
    const waits = [...this.#returning].flatMap((known) => known.deref()?.allBack() ?? []);
    return waits.length === 0 ? null : Promise.all(waits).then(() => undefined);
  }

  #counted<T>(size: number, create: () => T): T {
    let made: T;
    try {
      made = create();
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
    return made;
  }
}
