// How much memory a backend may allocate. One that keeps a budget says so here.

import type * as tf from '@tensorflow/tfjs-core';

const budgets = new WeakMap<tf.KernelBackend, number>();

/** Infinity: no limit. */
export function registerMemoryBudget(backend: tf.KernelBackend, bytes: number): void {
  budgets.set(backend, bytes);
}

/** Undefined: the backend does not count what it allocates. */
export function memoryBudgetOf(backend: tf.KernelBackend): number | undefined {
  return budgets.get(backend);
}
