// The inner steps of a Lookahead: each at once, and with sync: 'inline' the sync that ends a cycle.

import type * as tf from '@tensorflow/tfjs-core';

import { checkGradients, type Gradients } from '../autograd/gradients.js';
import type { InnerOptimizer } from '../optimizers/inner-optimizer.js';
import { syncOfStepFailed } from '../optimizers/steps/step-failed.js';
import type { AutoPlan } from './auto-plan.js';
import { assertMayStep, type CallGuard } from './call-guard.js';
import type { CycleState } from './cycle-state.js';
import type { Syncing } from './syncing.js';

export class Stepping {
  readonly #inner: InnerOptimizer;
  readonly #guard: CallGuard;
  readonly #sync: Syncing;
  readonly #state: CycleState;
  readonly #own: AutoPlan;

  constructor(inner: InnerOptimizer, guard: CallGuard, sync: Syncing, own: AutoPlan) {
    this.#inner = inner;
    this.#guard = guard;
    this.#sync = sync;
    this.#state = sync.state;
    this.#own = own;
  }

  /** Throws unless a step may be taken now. */
  assertCan(call: string): void {
    this.#guard.assertFree(call);
    assertMayStep(call, this.#state);
    this.#state.notice(call);
  }

  /** Call `assertCan` before, or be in a turn; and make the plan. */
  minimize(f: () => tf.Scalar, returnCost: boolean, varList?: tf.Variable[]): tf.Scalar | null {
    // Without a list, only weights that get a gradient count: tfjs's Adam registers its state as trainable.
    const begin = (weights: readonly tf.Variable[]) =>
      this.#state.stepping('minimize', varList ?? weights);
    const cost = this.#guard.stepping('minimize', () => {
      try {
        return this.#inner.minimize(f, returnCost, varList, begin);
      } finally {
        this.#state.endStep();
      }
    });
    this.#state.stepped();
    const { moved } = this.#inner;
    try {
      this.#state.keepGradientsIfNeeded(() => this.#inner.optimizer.computeGradients(f, varList));
      this.#sync.syncAtOnce();
    } catch (cause) {
      cost?.dispose();
      throw syncOfStepFailed(cause, moved);
    }
    return cost;
  }

  applyGradients(gradients: Gradients): void {
    const weights = checkGradients(gradients).map(({ weight }) => weight);
    if (weights.length === 0) return; // no gradient, no step
    this.#own.make(weights, { hasGradients: true });
    this.#state.stepping('applyGradients', weights);
    try {
      this.#inner.applyGradients(gradients);
    } finally {
      this.#state.endStep();
    }
    this.#state.stepped();
    this.#syncAtOnce();
  }

  /** False if no step is open. */
  complete(): boolean {
    const isTaken = this.#state.completeStep();
    this.#syncAtOnce();
    return isTaken;
  }

  #syncAtOnce(): void {
    try {
      this.#sync.syncAtOnce();
    } catch (cause) {
      throw syncOfStepFailed(cause, this.#inner.moved);
    }
  }
}
