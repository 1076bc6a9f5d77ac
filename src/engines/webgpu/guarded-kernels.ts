// Kernels that leave nothing behind when they throw.
//
// tfjs's kernels expect never to fail: one made of several programs forgets its intermediates, and a
// gradient computation that is broken off keeps everything it saved for the backward pass. Then a tensor
// that did not fit would take memory for good. So every kernel runs with a journal of the references it
// takes, and what a failed one took is given back.

import * as tf from '@tensorflow/tfjs-core';

import { GpuError } from './gpu-error.js';
import { dropTape } from '../../tfjs/engine-state.js';
import { VramBudgetError } from './memory/vram-budget-error.js';

/** References that a kernel has taken and not given back, by data. */
export type Journal = Map<object, number>;

export interface GuardedBackend {
  /** Of the kernel that is running; null between kernels. */
  journal: Journal | null;
  /** Before a kernel; throws if the device failed. */
  kernelStarts(): void;
  disposeData(dataId: object): boolean;
}

/**
 * Registers tfjs's WebGPU kernels for the backend `name`, which must be a `GuardedBackend`. Done before
 * is done.
 */
export function registerGuardedKernels(name: string): void {
  if (tf.getKernelsForBackend(name).length > 0) return;
  for (const kernel of tf.getKernelsForBackend('webgpu')) {
    const kernelFunc: tf.KernelFunc = (params) =>
      guarded(params.backend as GuardedBackend, () => kernel.kernelFunc(params));
    tf.registerKernel({ ...kernel, backendName: name, kernelFunc });
  }
}

function guarded<T>(backend: GuardedBackend, kernel: () => T): T {
  if (backend.journal !== null) return kernel(); // called by another kernel
  const journal: Journal = new Map();
  try {
    backend.kernelStarts();
    backend.journal = journal;
    return kernel();
  } catch (error) {
    backend.journal = null;
    for (const [dataId, references] of journal) {
      for (let i = 0; i < references; i++) backend.disposeData(dataId);
    }
    if (error instanceof VramBudgetError || error instanceof GpuError) dropTape();
    throw error;
  } finally {
    backend.journal = null;
  }
}

/** Notes that the running kernel took `references` to data, or gave them back (negative). */
export function noteReferences(
  { journal }: GuardedBackend,
  dataId: object,
  references: number,
): void {
  journal?.set(dataId, (journal.get(dataId) ?? 0) + references);
}
