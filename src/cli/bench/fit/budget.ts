// A hard budget for a backend that knows of none: tfjs's own.

import { formatBytes } from '../../../checks/bytes.js';
import { listenToBuffers } from '../../../measure/buffers.js';
import type { Watcher } from '../../../measure/devices.js';

/** The device would have had to make a buffer beyond the budget. */
export class OverBudgetError extends Error {
  override readonly name = 'OverBudgetError';
}

/** Counts every buffer, those for transfers too, as slowlane's engine does; refuses the one that is too much. */
export class BufferBudget implements Watcher {
  readonly #budgetBytes: number;
  #bytes = 0;
  peakBytes = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  watchBuffers(device: GPUDevice): void {
    listenToBuffers(device, {
      onWish: (bytes) => {
        if (this.#bytes + bytes <= this.#budgetBytes) return;
        throw new OverBudgetError(
          `A buffer of ${formatBytes(bytes)} would pass the VRAM budget of ` +
            `${formatBytes(this.#budgetBytes)}: ${formatBytes(this.#bytes)} are allocated.`,
        );
      },
      onChange: (bytes) => {
        this.#bytes += bytes;
        this.peakBytes = Math.max(this.peakBytes, this.#bytes);
      },
    });
  }

  watchTensors(): void {}
}
