// One step of a Lookahead: that of the inner optimizer, and what it leaves for the sync.

import type * as tf from '@tensorflow/tfjs-core';

import type { CallGuard } from './call-guard.js';
import type { LookaheadSync } from './syncing.js';
import type { InnerOptimizer } from '../optimizers/inner.js';

export interface StepParts {
  readonly inner: InnerOptimizer;
  readonly guard: CallGuard;
  readonly sync: LookaheadSync;
}

/** Arguments and result are those of `minimize`. */
export function takeStep(
  { inner, guard, sync }: StepParts,
  f: () => tf.Scalar,
  returnCost: boolean,
  varList: tf.Variable[] | undefined,
): tf.Scalar | null {
  // Without a list only weights that get a gradient count: among all trainable variables may be
  // state of other optimizers (tfjs's Adam registers its own as trainable).
  const cost = guard.stepping('minimize', () =>
    inner.minimize(f, returnCost, varList, (weights) => sync.stepping(varList ?? weights)),
  );
  sync.stepped();
  try {
    sync.keepGradientsIfNeeded(() => inner.optimizer.computeGradients(f, varList));
  } catch (cause) {
    cost?.dispose();
    throw cause;
  }
  return cost;
}
