/**
 * Takes steps: one update for each weight, after the backward pass or while it runs. A batch is a step, or
 * several micro-batches are one (`micro-batches.ts`).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { BackwardPass, PassHooks } from '../../autograd/backward-pass.js';
import type { WeightGradient } from '../../autograd/gradients.js';
import { type Clipping, clipFor, disposeClip } from '../../formula/clipping.js';
import type { RuleConstants, UpdateRule } from '../../formula/update-rule.js';
import type { BeginStep } from '../inner-optimizer.js';
import type { OptimizerState } from '../state/optimizer-state.js';
import { MicroBatches } from './micro-batches.js';
import { stepFailed } from './step-failed.js';
import { type Batch, type Batches, WeightUpdates } from './weight-updates.js';

export interface StepPlan {
  readonly learningRate: number;
  /** Called with the weights just before the first of them changes. */
  readonly begin?: BeginStep | undefined;
}

/** Each batch is a step. */
class WholeBatches implements Batches {
  readonly #updates: WeightUpdates;
  readonly #clipping: Clipping;

  constructor(updates: WeightUpdates, clipping: Clipping) {
    this.#updates = updates;
    this.#clipping = clipping;
  }

  run({ learningRate, given, during }: Batch): boolean {
    const updates = this.#updates;
    const clip = clipFor(
      this.#clipping,
      given.map(({ gradient }) => gradient),
    );
    const numbers = { learningRate, clip };
    for (const each of given) updates.step(each, numbers);
    during?.({
      prepare: (weight) => updates.stateOf(weight).prepare(),
      release: (weight, gradient) =>
        updates.step({ weight, gradient, takesGradient: true }, numbers),
    });
    disposeClip(clip);
    return true;
  }
}

export class WeightSteps {
  readonly #state: OptimizerState;
  readonly #updates: WeightUpdates;
  readonly #batches: Batches;
  /** null: each batch is a step. */
  readonly #micro: MicroBatches | null;

  constructor(
    rule: UpdateRule,
    constants: RuleConstants,
    state: OptimizerState,
    { clipping, accumulate }: { readonly clipping: Clipping; readonly accumulate: number },
  ) {
    const updates = new WeightUpdates(rule, constants, state);
    this.#state = state;
    this.#updates = updates;
    this.#micro =
      accumulate > 1 ? new MicroBatches(rule, constants, updates, { clipping, accumulate }) : null;
    this.#batches = this.#micro ?? new WholeBatches(updates, clipping);
  }

  /** Micro-batches taken of the step under way. */
  get taken(): number {
    return this.#micro?.taken ?? 0;
  }

  /** True if gradients were taken that have moved no weight yet, perhaps by a micro-batch that failed. */
  get isOpen(): boolean {
    return this.#micro?.isOpen === true;
  }

  /** The weights that the latest batch has moved. */
  get moved(): readonly tf.Variable[] {
    return this.#updates.moved;
  }

  /**
   * With gradients that exist already; `frees` disposes each as soon as it is used.
   *
   * @returns true if a step is complete.
   */
  after(
    pairs: readonly WeightGradient[],
    plan: StepPlan,
    { frees }: { readonly frees: boolean },
  ): boolean {
    this.#begin(
      pairs.map(({ weight }) => weight),
      plan,
    );
    // A custom gradient may give one tensor to two weights.
    const given = pairs.map(({ weight, gradient }, i) => {
      const isLastUse = !pairs.some((other, j) => j > i && other.gradient === gradient);
      return { weight, gradient, takesGradient: frees && isLastUse };
    });
    return this.#run(given.length, { learningRate: plan.learningRate, given });
  }

  /** While the backward pass runs. @returns true if a step is complete. */
  during(pass: BackwardPass, plan: StepPlan): boolean {
    this.#begin(pass.weights, plan);
    const during = (hooks: PassHooks) => pass.run(hooks);
    return this.#run(pass.weights.length, { learningRate: plan.learningRate, given: [], during });
  }

  /** Completes the step with the micro-batches taken so far. @returns false if there were none. */
  complete(learningRate: number): boolean {
    if (!this.#micro?.isOpen) return false;
    return this.#run(this.#micro.waiting, { learningRate, given: [], endsStep: true });
  }

  /** Gives up what was taken: the next micro-batch is the first of a step. */
  abandon(): void {
    this.#micro?.abandon();
  }

  /** Gives up what was taken of `weights`. */
  forget(weights: readonly tf.Variable[]): void {
    this.#micro?.forget(weights);
  }

  #begin(weights: readonly tf.Variable[], { begin }: StepPlan): void {
    this.#state.adopt(weights);
    begin?.(weights);
  }

  /** @param of The weights that `batch` is for. */
  #run(of: number, batch: Batch): boolean {
    this.#updates.begin();
    try {
      try {
        // The tidy frees what an update that fails leaves behind.
        return tf.tidy(() => this.#batches.run(batch));
      } finally {
        this.#state.endStep();
      }
    } catch (cause) {
      const { moved, torn } = this.#updates;
      const taken = this.#micro === null ? {} : { taken: this.#micro.served };
      throw stepFailed(cause, { of, moved, torn: torn === null ? [] : [torn], ...taken });
    }
  }
}
