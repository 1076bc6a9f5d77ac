/** The contract between Lookahead and the optimizer inside it. */
import type * as tf from '@tensorflow/tfjs-core';
import type { NamedTensor } from '../tfjs/named-tensor.js';
import type { Gradients } from '../autograd/gradients.js';
import type { Plannable } from './step-policy.js';

/**
 * One slot of one weight: `weight`'s momentum, say. Same shape as the weight. If `hidesState`, larger
 * weights have one entry, the scales of their slots, which are finite if the slots are and not to be
 * written, or none.
 */
export interface StateTensor {
  readonly variable: tf.Variable;
  readonly weight: tf.Variable;
  /** Every element of a fresh slot. */
  readonly initial: number;
}

/** A diagonal estimate of the curvature: `scale` times the elements of `diagonal`. */
export interface SecondMoment {
  readonly diagonal: tf.Tensor;
  /** Undoes the bias of an average that began at 0, or makes a mean of a sum. */
  readonly scale: number;
}

/** What throws here stops the step. */
export type BeginStep = (weights: readonly tf.Variable[]) => void;

type MaybePromise<T> = T | Promise<T>;

/**
 * Guarantees: what throws has changed nothing; `state()` keeps its order as long as no new weight is
 * seen, and `reset()` keeps the slots' variables; gradients handed in stay the caller's.
 */
export interface InnerOptimizer {
  /** For `getClassName`, `getConfig` and the user: the optimizer as TensorFlow.js knows it. */
  readonly optimizer: tf.Optimizer;
  /** False if slots can be neither listed, saved nor reset: those calls throw UNSUPPORTED_INNER. */
  readonly supportsState: boolean;
  /** True if slots are in 8 bits or on the host: saved, restored and reset, but not reached as tensors. */
  readonly hidesState?: boolean;
  /** Looks for a NaN or an infinity in slots that `state()` does not list. Rejects if they are spoilt. */
  hasBadState?(): Promise<boolean>;
  /** True if `secondMoment` gives something once steps were taken. */
  readonly hasSecondMoment: boolean;
  /** Steps taken so far. */
  readonly iterations: number;

  /** `begin` hears of the weights that get a gradient, just before the first of them changes. */
  minimize(
    f: () => tf.Scalar,
    returnCost?: boolean,
    varList?: tf.Variable[],
    begin?: BeginStep,
  ): tf.Scalar | null;
  applyGradients(gradients: Gradients): void;

  /** Makes these weights known, in this order, and their slots where that can be done before a step. */
  adopt(variables: readonly tf.Variable[]): void;
  /** The slots that exist by now. The variables stay the optimizer's: write to them, never dispose. */
  state(): MaybePromise<readonly StateTensor[]>;
  /**
   * Slots and bias corrections of `weights` (default: all) as freshly made; a schedule of the learning
   * rate goes on. Throws UNSUPPORTED_INNER for a part of the weights if `resetsByWeight` is false.
   */
  reset(weights?: readonly tf.Variable[]): MaybePromise<void>;
  readonly resetsByWeight: boolean;
  /** The running estimate of E[g²] of a weight, if there is one. The tensor stays the optimizer's. */
  secondMoment(weight: tf.Variable): MaybePromise<SecondMoment | null>;

  /** True after a micro-batch that ended no step. */
  readonly isAccumulating?: boolean;
  /** Takes the step of the micro-batches so far. False: there were none. */
  completeStep?(): boolean;
  /** Gives up the micro-batches so far, but for what moments took: the next one is the first of a step. */
  abandonStep?(): void;

  /** Compares options for some weights with all weights. Throws UNMATCHED_OVERRIDE. */
  checkOverrides?(weights: readonly tf.Variable[]): void;

  /** Absent if a planner can decide nothing here. */
  plannable?(): Plannable;

  /** True if `flush` has to be awaited before the next step: moments that are away. */
  readonly due?: boolean;
  flush?(): Promise<void>;

  /** Live slots and host-only tensors: nothing to dispose. */
  getWeights(): Promise<NamedTensor[]>;
  /** Copies what it is given. */
  setWeights(weights: NamedTensor[]): Promise<void>;
  /** Disposes the slots. Idempotent. */
  dispose(): void;
}
