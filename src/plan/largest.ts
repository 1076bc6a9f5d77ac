// The largest model that the budgets take.

import { policyBytes, type Training } from './policy-bytes.js';
import { type Budgets, doesFit } from './choice.js';
import type { Policy } from './policies.js';
import { largestThat } from './search.js';
import { equalWeights } from './weights.js';

export interface LargestModelOptions {
  readonly budgets: Budgets;
  readonly activationBytes: number;
  /** Weights of the same size. */
  readonly layers: number;
}

/** How many parameters fit, in `layers` equal weights trained as `training` says; 0 if none. */
export function largestModel(
  policy: Policy,
  training: Pick<Training, 'rule' | 'accumulate' | 'chunkBytes'>,
  { budgets, activationBytes, layers }: LargestModelOptions,
): number {
  const fits = (parameters: number) => {
    const bytes = policyBytes(policy, {
      ...training,
      weights: equalWeights(parameters, layers),
      layers: null,
      givenActivationBytes: activationBytes,
      batchSize: 1,
      syncPeriod: 1,
    });
    return doesFit(bytes, budgets);
  };
  // More parameters never take fewer bytes, and each takes 4 for itself.
  return largestThat(fits, 0, Math.floor(budgets.deviceBytes / 4) + 1);
}
