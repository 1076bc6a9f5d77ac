// The largest batch and the largest model within the budgets.

import type { Policy } from './policies.js';
import { policyBytes, type PolicyBytes, type Training } from './policy-bytes.js';
import { equalWeights } from './weights.js';

/** Infinity: no limit. */
export interface Budgets {
  readonly deviceBytes: number;
  readonly hostBytes: number;
}

export function doesFit(bytes: PolicyBytes, budgets: Budgets): boolean {
  return bytes.neededDeviceBytes <= budgets.deviceBytes && bytes.hostBytes <= budgets.hostBytes;
}

/** The largest batch with which `policy` fits. null if none does, or if the activations are not known. */
export function largestBatch(policy: Policy, training: Training, budgets: Budgets): number | null {
  if (training.layers === null) return null;
  const fits = (batchSize: number) =>
    doesFit(policyBytes(policy, { ...training, batchSize }), budgets);
  if (!fits(1)) return null;
  return largestThat(fits, 1, leastTooMany(budgets));
}

/** How many parameters fit as `layers` equal weights, with activations of `activationBytes`; 0 if none do. */
export function largestModel(
  policy: Policy,
  training: Pick<Training, 'rule' | 'accumulate' | 'chunkBytes'>,
  budgets: Budgets,
  { activationBytes, layers }: { readonly activationBytes: number; readonly layers: number },
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
  return largestThat(fits, 0, leastTooMany(budgets));
}

/** Each parameter, and each example of a batch, takes 4 bytes at least. */
function leastTooMany({ deviceBytes }: Budgets): number {
  return Math.floor(deviceBytes / 4) + 1;
}

/** The largest whole number in [`low`, `tooMany`) that fits. `low` fits; if a number fits, so do all below it. */
export function largestThat(
  fits: (count: number) => boolean,
  low: number,
  tooMany: number,
): number {
  let [yes, no] = [low, tooMany];
  while (no - yes > 1) {
    const half = Math.floor((yes + no) / 2);
    if (fits(half)) yes = half;
    else no = half;
  }
  return yes;
}
