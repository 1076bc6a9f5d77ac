// Two meters of device memory inside the process of a cell: tfjs's logical count, and every GPUBuffer.
// The third, the driver's, is read from outside (driver-meter.ts).

import type { LookaheadStats } from '../../index.js';
import { formatBytes } from '../../checks/quantities.js';
import { watchTensorBytes } from '../../tfjs/engine-state.js';
import { listenToBuffers } from '../devices/buffers.js';
import { BareDevice, OurDevice, type TrainingDevice, type Watcher } from '../devices/devices.js';
import type { PeakBytes } from '../record-parts.js';

/** A buffer would have passed the budget. */
export class OverBudgetError extends Error {
  override readonly name = 'OverBudgetError';
}

/** Counts what the device and TensorFlow.js do from now on; refuses a buffer that would pass `budgetBytes`. */
export class Meters implements Watcher {
  readonly #budgetBytes: number;
  /** All buffers, those for transfers too. */
  bufferBytes = 0;
  peakBufferBytes = 0;
  peakLogicalBytes = 0;

  constructor(budgetBytes = Infinity) {
    this.#budgetBytes = budgetBytes;
  }

  watchBuffers(device: GPUDevice): void {
    listenToBuffers(device, {
      onWish: (bytes) => {
        if (this.bufferBytes + bytes <= this.#budgetBytes) return;
        throw new OverBudgetError(
          `A buffer of ${formatBytes(bytes)} would pass the VRAM budget of ` +
            `${formatBytes(this.#budgetBytes)}: ${formatBytes(this.bufferBytes)} are allocated.`,
        );
      },
      onChange: (bytes) => {
        this.bufferBytes += bytes;
        this.peakBufferBytes = Math.max(this.peakBufferBytes, this.bufferBytes);
      },
    });
  }

  /** `tf.memory().numBytes` after each new tensor: where it can be highest. */
  watchTensors(): void {
    watchTensorBytes((bytes) => {
      this.peakLogicalBytes = Math.max(this.peakLogicalBytes, bytes);
    });
  }
}

const KIB = 1024;

/** `stats`: of slowlane's Lookahead, if it trained with one. */
export function peakBytesOf(
  device: TrainingDevice,
  meters: Meters,
  stats: LookaheadStats | null,
): PeakBytes {
  // The engine counts what it keeps in host memory apart.
  const ours = device instanceof OurDevice ? device.engine.memory() : null;
  const bufferBytes = device instanceof BareDevice ? meters.peakBufferBytes : null;
  const slow = stats?.host ?? { slowBytes: 0, stagingBytes: 0 };
  return {
    logicalBytes: meters.peakLogicalBytes,
    allocatorBytes: ours?.peakBytes ?? bufferBytes,
    hostBytes: ours?.hostBytes ?? slow.slowBytes + slow.stagingBytes,
    peakRssBytes: KIB * process.resourceUsage().maxRSS,
  };
}

/** By each meter that counted. */
export function perParameter({
  allocatorBytes,
  logicalBytes,
  parameters,
}: Pick<PeakBytes, 'allocatorBytes' | 'logicalBytes'> & { readonly parameters: number }) {
  return {
    allocatorBytesPerParameter: allocatorBytes === null ? null : allocatorBytes / parameters,
    logicalBytesPerParameter: logicalBytes / parameters,
  };
}
