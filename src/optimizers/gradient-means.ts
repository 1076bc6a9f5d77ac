/**
 * Gradients of several micro-batches that make one step: the mean of them, never all at once.
 *
 * Where a rule begins with a running mean of gradients they go straight into it and take no memory. For Adam
 * that is AdamA (Zhang et al., "Adam Accumulation to Reduce Memory Footprints of both Activations and
 * Gradients for Large-scale DNN Training", arXiv 2305.19982): with gradients gᵢ of n micro-batches
 *
 *   m ← β₁ m + (1 − β₁) Σ gᵢ/n        v ← β₂ v + (1 − β₂) Σ (gᵢ/n)²
 *
 * so m is Adam's, and v is Adam's if the gᵢ are independent around 0: not the same numbers as one large batch.
 * Else there is one mean a weight, and the step is that of it.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../checks/errors.js';
import { checkNumber } from '../checks/check.js';
import type { Assignment } from '../formula/update-rule.js';

/** Which part of a step a micro-batch is, for one weight. */
export interface Share {
  /** The first that gives this weight a gradient. */
  readonly isFirst: boolean;
  /** Micro-batches in all. */
  readonly of: number;
}

/** How a rule takes micro-batches into its slots. */
export interface Accumulation<State extends string = string, Scalar extends string = string> {
  /** The last micro-batch runs all of it, the others what is not the weight's. */
  readonly formula: readonly Assignment<State, Scalar | 'share'>[];
  /** From the numbers of the whole step. */
  scalars(
    step: Readonly<Record<Scalar, number>>,
    share: Share,
  ): Readonly<Record<Scalar, number> & { share?: number }>;
}

export function checkAccumulate(given: unknown): number {
  return checkNumber('accumulate', given, { min: 1, max: 2 ** 20, whole: true });
}

/** Means of gradients, weight by weight, as far as they have come; owns them. */
export class GradientMeans {
  readonly #means = new Map<tf.Variable, tf.Tensor>();

  get weights(): readonly tf.Variable[] {
    return [...this.#means.keys()];
  }

  get tensors(): readonly tf.Tensor[] {
    return [...this.#means.values()];
  }

  /** Adds one of `of` gradients; with `takes` it is disposed as soon as it is used, else it stays the caller's. */
  add(weight: tf.Variable, gradient: tf.Tensor, how: { of: number; takes: boolean }): void {
    const before = this.#means.get(weight);
    const share = tf.mul(gradient, 1 / how.of);
    if (how.takes) gradient.dispose();
    const mean = before === undefined ? share : tf.add(before, share);
    this.#means.set(weight, tf.keep(mean));
    before?.dispose();
    if (mean !== share) share.dispose();
  }

  /** Stays ours. */
  of(weight: tf.Variable): tf.Tensor {
    const mean = this.#means.get(weight);
    if (mean === undefined) throw new Error(`'${weight.name}' has no gradient.`);
    return mean;
  }

  drop(weight: tf.Variable): void {
    this.#means.get(weight)?.dispose();
    this.#means.delete(weight);
  }

  dispose(): void {
    tf.dispose([...this.#means.values()]);
    this.#means.clear();
  }
}

export function stepIsOpen(call: string, taken: number, of: number): SlowlaneError {
  return new SlowlaneError(
    'STEP_OPEN',
    `${call}() was called after ${taken} of ${of} micro-batches of a step, whose gradients cannot be saved. ` +
      `Take the others first, or take the step without them: completeStep().`,
    { taken, of },
  );
}
