/** The contract between Lookahead and the optimizer inside it. */
import type * as tf from '@tensorflow/tfjs-core';
import type { NamedTensor } from '../tfjs/named-tensor.js';
import type { Gradients } from '../autograd/gradients.js';
import type { LearningRate } from './learning-rate.js';
import type { OwnerMap } from './state/owners.js';
import type { Plannable } from './step-policy.js';

/**
 * One state tensor of one weight, such as its momentum; of the weight's shape. With `hidesState` a weight may instead
 * have one entry for the scales of its quantized state, which is read-only and finite if the state is, or none.
 */
export interface StateTensor {
  readonly variable: tf.Variable;
  readonly weight: tf.Variable;
  /** What it is, such as `['v']`. Of scales: what each row belongs to. */
  readonly slots: readonly string[];
  /** Every element of fresh state. */
  readonly initial: number;
}

/** State that holds a NaN or an infinity. */
export interface BadState {
  readonly weight: tf.Variable;
  readonly slot: string;
}

/** A diagonal estimate of the curvature: `scale` times the elements of `diagonal`. */
export interface SecondMoment {
  readonly diagonal: tf.Tensor;
  /** Undoes the bias of an average that began at 0, or makes a mean of a sum. */
  readonly scale: number;
}

/** State that was checked and waits to be put in place. */
export interface PreparedState {
  /** Steps taken when it was saved. */
  readonly iterations: number;
  /** Puts it in place; does not fail, except an optimizer of others. */
  commit(): MaybePromise<void>;
  /** Frees it instead. */
  dispose(): void;
}

/** An error thrown here stops the step. */
export type BeginStep = (weights: readonly tf.Variable[]) => void;

type MaybePromise<T> = T | Promise<T>;

/**
 * Guarantees: a call that throws has changed nothing, or says what (`steps/step-failed.ts`); `state()` keeps its order while no new weight is seen;
 * `reset()` keeps the variables of the state; gradients passed in stay the caller's.
 */
export interface InnerOptimizer {
  /** For `getClassName`, `getConfig` and the user: the optimizer as TensorFlow.js knows it. */
  readonly optimizer: tf.Optimizer;
  /** False if state can be neither listed, saved nor reset: those calls throw UNSUPPORTED_INNER. */
  readonly supportsState: boolean;
  /** True if some state is quantized or on the host: saved, restored and reset, but not available as tensors. */
  readonly hidesState?: boolean;
  /**
   * Looks through what `state()` does not list because it is on the host, of weights that are meant: resolves to the first with
   * a NaN or an infinity, or null. Rejects if the device lost it.
   */
  firstBadOnHost?(isMeant: (weight: tf.Variable) => boolean): Promise<BadState | null>;
  /** True if `secondMoment` gives something once steps were taken. */
  readonly hasSecondMoment: boolean;
  /** Steps taken so far. */
  readonly iterations: number;
  /** γ of the next step. Reading or setting it throws UNSUPPORTED_INNER if the optimizer has none. */
  get learningRate(): number;
  set learningRate(value: LearningRate);

  /** Calls `begin` with the weights that get a gradient, just before the first of them changes. */
  minimize(
    f: () => tf.Scalar,
    returnCost?: boolean,
    varList?: tf.Variable[],
    begin?: BeginStep,
  ): tf.Scalar | null;
  applyGradients(gradients: Gradients): void;
  /** The weights that the latest step, or batch of one, has moved. */
  readonly moved: readonly tf.Variable[];

  /** Makes these weights known, in this order, and their state if that is possible before a step. */
  adopt(variables: readonly tf.Variable[]): void;
  /**
   * Finds the weights that restored state waits for among `weights`; `isWhole`: these are all of a model, in its order.
   * Makes no state. Throws STATE_MISMATCH if it is not certain which belong together.
   */
  meet(weights: readonly tf.Variable[], how: { readonly isWhole: boolean }): void;
  /**
   * The state that exists, restored state of known weights too. The variables stay the optimizer's: write to them, never dispose
   * them. A promise only where a class of others gives its state to those who wait alone.
   */
  state(): MaybePromise<readonly StateTensor[]>;
  /**
   * Makes state and bias corrections of `weights` (default: all) fresh; a schedule of the learning rate goes on.
   * Throws UNSUPPORTED_INNER for only some of the weights if `resetsByWeight` is false.
   */
  reset(weights?: readonly tf.Variable[]): MaybePromise<void>;
  readonly resetsByWeight: boolean;
  /** The running estimate of E[g²] of a weight, if there is one. The tensor stays the optimizer's. */
  secondMoment(weight: tf.Variable): MaybePromise<SecondMoment | null>;

  /** True after a micro-batch that ended no step. */
  readonly isAccumulating?: boolean;
  /** Completes the step with the micro-batches taken so far. False: there were none. */
  completeStep?(): boolean;
  /** Gives up the micro-batches taken so far, except what went into the state. The next one begins a step. */
  abandonStep?(): void;

  /** Compares options for some weights with all weights. Throws UNMATCHED_OVERRIDE. */
  checkOverrides?(weights: readonly tf.Variable[]): void;

  /** Absent if a planner has nothing to decide. */
  plannable?(): Plannable;

  /** True if `flush` has to be awaited before the next step: state is on its way to the host. */
  readonly due?: boolean;
  flush?(): Promise<void>;

  /** Live variables and host tensors: nothing to dispose. */
  getWeights(): Promise<NamedTensor[]>;
  /** Copies what it is given. */
  setWeights(weights: NamedTensor[]): Promise<void>;
  /**
   * `setWeights` in two parts, with no step between them. Of all weights of the model `known` says which was saved
   * under which name; without it names and order decide when the weights are seen.
   */
  prepare(weights: NamedTensor[], known?: OwnerMap): Promise<PreparedState>;
  /** @throws SlowlaneError STATE_MISMATCH if there is state of a weight that is not among `weights`. */
  assertWithin(weights: readonly tf.Variable[]): void;
  /** Drops the state of `weights` and frees it. Throws UNSUPPORTED_INNER if it cannot. */
  forget(weights: readonly tf.Variable[]): void;
  /** Disposes the state. Idempotent. */
  dispose(): void;
}
