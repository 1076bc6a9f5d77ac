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
 * Else there is one sum a weight, and the step is that of the mean.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../errors.js';
import { checkNumber } from '../options.js';
import type { Assignment } from './update-rule.js';

/** Which part of a step a micro-batch is, for one weight. */
export interface Share {
  /** The first that gives this weight a gradient. */
  readonly isFirst: boolean;
  /** Micro-batches in all. */
  readonly of: number;
}

/** How a rule takes micro-batches into its slots. */
export interface Accumulation<Slot extends string = string, Scalar extends string = string> {
  /** The last micro-batch runs all of it, the others what is not the weight's. */
  readonly formula: readonly Assignment<Slot, Scalar | 'share'>[];
  /** From the numbers of the whole step. */
  scalars(
    step: Readonly<Record<Scalar, number>>,
    share: Share,
  ): Readonly<Record<Scalar, number> & { share?: number }>;
}

export function checkAccumulate(given: unknown): number {
  return checkNumber('accumulate', given, { min: 1, max: 2 ** 20, whole: true });
}

/** Sums of gradients, weight by weight; owns them. */
export class GradientSums {
  readonly #sums = new Map<tf.Variable, tf.Tensor>();

  /** With a gradient that is not in a `take` yet. */
  get weights(): readonly tf.Variable[] {
    return [...this.#sums.keys()];
  }

  /** `gradient` stays the caller's. */
  add(weight: tf.Variable, gradient: tf.Tensor): void {
    const before = this.#sums.get(weight);
    const sum = before === undefined ? gradient.clone() : tf.add(before, gradient);
    this.#sums.set(weight, tf.keep(sum));
    before?.dispose();
  }

  /** The sum, with `gradient` if there is one, over `of`: the caller's. */
  take(weight: tf.Variable, gradient: tf.Tensor | null, of: number): tf.Tensor {
    const before = this.#sums.get(weight);
    const mean = tf.tidy(() => {
      const parts = [before, gradient].filter((part) => part !== undefined && part !== null);
      return tf.mul(parts.length === 1 ? (parts[0] as tf.Tensor) : tf.addN(parts), 1 / of);
    });
    this.#sums.delete(weight);
    before?.dispose();
    return mean;
  }

  dispose(): void {
    tf.dispose([...this.#sums.values()]);
    this.#sums.clear();
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
