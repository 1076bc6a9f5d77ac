// The largest model that the budgets take.

import { policyBytes } from './plan-bytes.js';
import { type Budgets, doesFit } from './plan-choice.js';
import type { Policy } from './plan-policies.js';
import { largestThat } from './plan-search.js';
import { equalWeights } from './plan-weights.js';

export interface LargestModelOptions {
  readonly slots: number;
  readonly budgets: Budgets;
  readonly activationBytes: number;
  /** Weights of the same size. */
  readonly layers: number;
  readonly chunkBytes: number;
}

/** How many parameters fit, in `layers` equal weights; 0 if none. */
export function largestModel(policy: Policy, options: LargestModelOptions): number {
  const { slots, budgets, activationBytes, layers, chunkBytes } = options;
  const fits = (parameters: number) => {
    const bytes = policyBytes(policy, {
      weights: equalWeights(parameters, layers),
      layers: null,
      givenActivationBytes: activationBytes,
      batchSize: 1,
      slots,
      syncPeriod: 1,
      chunkBytes,
    });
    return doesFit(bytes, budgets);
  };
  // More parameters never take fewer bytes, and each takes 4 for itself.
  return largestThat(fits, 0, Math.floor(budgets.deviceBytes / 4) + 1);
}
