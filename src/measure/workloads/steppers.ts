// Optimizers as step functions: alone, with slow weights on the device, and with slowlane's Lookahead.

import * as tf from '@tensorflow/tfjs-core';

import type { Lookahead, LookaheadStats } from '../../index.js';
import type { Workload } from './workloads.js';

/** What an optimizer needs of a workload. */
export type Trained = Pick<Workload, 'weights' | 'loss'>;

export interface Stepper {
  /** One step, and the sync that it ends with; the loss, the caller's, if `returnCost`. */
  step(returnCost: boolean): Promise<tf.Scalar | null>;
  readonly stats?: () => LookaheadStats;
}

export function plain({ weights, loss }: Trained, optimizer: tf.Optimizer): Stepper {
  return { step: async (returnCost) => optimizer.minimize(loss, returnCost, weights) };
}

export async function offloaded(
  { weights, loss }: Trained,
  optimizer: Lookahead,
): Promise<Stepper> {
  await optimizer.attach(weights);
  return {
    step: (returnCost) => optimizer.step(loss, returnCost, weights),
    stats: () => optimizer.stats(),
  };
}

/** What one writes without slowlane: slow weights as variables beside the fast ones, α = 1/2. */
export function onDevice(
  { weights, loss }: Trained,
  optimizer: tf.Optimizer,
  syncPeriod: number,
): Stepper {
  const slow = slowVariables(weights);
  let steps = 0;
  return {
    async step(returnCost) {
      const cost = optimizer.minimize(loss, returnCost, weights);
      steps += 1;
      if (steps % syncPeriod === 0) slow.sync();
      return cost;
    },
  };
}

/** Those variables, and their sync with the weights. */
export function slowVariables(weights: readonly tf.Variable[]): { sync(): void } {
  const pairs = weights.map((fast) => ({
    fast,
    slow: tf.tidy(() => tf.variable(tf.clone(fast), false)),
  }));
  return {
    sync() {
      for (const { fast, slow } of pairs) {
        tf.tidy(() => slow.assign(tf.add(slow, tf.mul(tf.sub(fast, slow), 0.5))));
        tf.tidy(() => fast.assign(tf.clone(slow)));
      }
    },
  };
}
