// What holds the memory of the device now.

import type * as tf from '@tensorflow/tfjs-core';

import { type Breakdown, type Category, variableSorter } from '../../../engine/categories.js';
import type { Label } from './label.js';

/** Memory of the device, in bytes. */
export interface DeviceMemory {
  /** Taken from the device and not given back; never more than the budget. */
  readonly allocatedBytes: number;
  /**
   * What of `allocatedBytes` nobody asked for: the device rounds buffers under 4 MiB up, and keeps their heaps. 0 in Node without
   * `subAllocate`.
   */
  readonly addedBytes: number;
  /** Without the free buffers of the pool. */
  readonly usedBytes: number;
  /** The most that was allocated at one time. */
  readonly peakBytes: number;
  /** The budget; Infinity without one. */
  readonly budgetBytes: number;
  /**
   * Host memory: slow weights and offloaded moments, and the buffers that they pass through. It is not part of the other numbers. On
   * a GPU without its own memory it is the same memory.
   */
  readonly hostBytes: number;
  /** Adds up to `allocatedBytes` without `addedBytes`. */
  readonly by: Breakdown;
}

export interface Holdings {
  /** The buffers in use, with what they were made for. */
  readonly used: ReadonlyMap<GPUBuffer, Category>;
  /** Allocated in all, the free ones too. */
  readonly allocatedBytes: number;
  /** Textures. */
  readonly otherBytes: number;
  readonly variables: readonly tf.Variable[];
  labelOf(tensor: tf.Tensor): Label | undefined;
  /** The buffer of a tensor's data, if it has one on this device. */
  bufferOf(dataId: object): GPUBuffer | undefined;
}

/** Adds up to `allocatedBytes + otherBytes`. */
export function breakDown(holdings: Holdings): Breakdown {
  const bytes = { weights: 0, gradients: 0, moments: 0, staging: 0, activations: 0, pool: 0 };
  const known = categoriesOfVariables(holdings);
  let usedBytes = 0;
  for (const [buffer, category] of holdings.used) {
    bytes[known.get(buffer) ?? category] += buffer.size;
    usedBytes += buffer.size;
  }
  bytes.activations += holdings.otherBytes;
  bytes.pool = holdings.allocatedBytes - usedBytes;
  return bytes;
}

/** Of each buffer that is a variable's: what that variable is for. */
export function categoriesOfVariables(holdings: Holdings): Map<GPUBuffer, Label> {
  const sort = variableSorter(holdings.variables);
  const known = new Map<GPUBuffer, Label>();
  for (const variable of holdings.variables) {
    const buffer = variable.isDisposed ? undefined : holdings.bufferOf(variable.dataId);
    if (buffer === undefined) continue;
    known.set(buffer, holdings.labelOf(variable) ?? sort(variable));
  }
  return known;
}
