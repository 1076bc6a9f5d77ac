// Optimizers on a workload: alone, with slow weights on the device, and with slowlane's Lookahead.

import * as tf from '@tensorflow/tfjs-core';

import type { Lookahead } from '../../index.js';

export interface Workload {
  readonly weights: tf.Variable[];
  /** Of one batch, which stays on the device. */
  readonly loss: () => tf.Scalar;
  readonly parameters: number;
  /** For Adam. */
  readonly learningRate: number;
}

/** What an optimizer needs of a workload. */
type Trained = Pick<Workload, 'weights' | 'loss'>;

export interface Stepper {
  /** One step, and the sync that it ends with; the loss, the caller's, if `returnCost`. */
  step(returnCost: boolean): Promise<tf.Scalar | null>;
  /** One step alone. */
  minimize(): void;
  /** What is due after the last step of a cycle that was taken by `minimize`. */
  sync(): Promise<void>;
  /** Slowlane's; null without it. */
  readonly lookahead: Lookahead | null;
}

export function plain({ weights, loss }: Trained, optimizer: tf.Optimizer): Stepper {
  return {
    step: async (returnCost) => optimizer.minimize(loss, returnCost, weights),
    minimize: () => void optimizer.minimize(loss, false, weights),
    sync: async () => {},
    lookahead: null,
  };
}

export async function offloaded(
  { weights, loss }: Trained,
  lookahead: Lookahead,
): Promise<Stepper> {
  await lookahead.attach(weights);
  return {
    step: (returnCost) => lookahead.step(loss, returnCost, weights),
    minimize: () => void lookahead.minimize(loss, false, weights),
    sync: () => lookahead.sync(),
    lookahead,
  };
}

/** What one writes without slowlane: slow weights as variables beside the fast ones, α = 1/2. */
export function onDevice(trained: Trained, optimizer: tf.Optimizer, syncPeriod: number): Stepper {
  const alone = plain(trained, optimizer);
  const pairs = trained.weights.map((fast) => ({
    fast,
    slow: tf.tidy(() => tf.variable(tf.clone(fast), false)),
  }));
  const sync = async () => {
    for (const { fast, slow } of pairs) {
      tf.tidy(() => slow.assign(tf.add(slow, tf.mul(tf.sub(fast, slow), 0.5))));
      tf.tidy(() => fast.assign(tf.clone(slow)));
    }
  };
  let steps = 0;
  return {
    ...alone,
    async step(returnCost) {
      const cost = await alone.step(returnCost);
      steps += 1;
      if (steps % syncPeriod === 0) await sync();
      return cost;
    },
    sync,
  };
}

/** Reads a loss, and disposes it. Throws where it is not finite: wrong numbers would be no training. */
export async function readLoss(loss: tf.Scalar | null): Promise<number> {
  const [value = NaN] = (await loss?.data<'float32'>()) ?? [];
  loss?.dispose();
  if (Number.isFinite(value)) return value;
  throw new Error(`The loss is not finite: ${value}.`);
}
