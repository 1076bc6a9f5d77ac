// Buffers in host memory that the device copies from and to: mappable ones. On a GPU with memory of its own
// they take none of it, so they are counted apart from the budget.

import { SlowlaneError } from '../../../checks/errors.js';
import { formatBytes } from '../../../checks/quantities.js';

export class HostBuffers {
  readonly #device: GPUDevice;
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

  destroy(buffer: GPUBuffer): void {
    buffer.destroy();
    this.#bytes -= buffer.size;
  }
}
