// A training that is small enough for mental arithmetic.

import type { Policy } from '#src/plan/policies.js';
import type { Training } from '#src/plan/policy-bytes.js';
import { ruleOf } from '#src/plan/step-bytes.js';
import { equalWeights } from '#src/plan/weights.js';

export const exact: Policy = { gradients: 'keep', moments: 'device:f32', slow: 'host:f32' };
export const bare: Policy = { ...exact, slow: 'device:f32' };

/** One weight of 1,024 elements, 4 KiB, under sgd: 4 KiB of gradients, 4 KiB of slow weights. */
export const training: Training = {
  weights: equalWeights(1024, 1),
  layers: null,
  givenActivationBytes: 0,
  batchSize: 1,
  accumulate: 1,
  rule: ruleOf('sgd'),
  syncPeriod: 5,
  chunkBytes: 512,
};
