/** Carries out the updates of single weights: one rule, its numbers, and the state of each weight. */
import type * as tf from '@tensorflow/tfjs-core';
import type { PassHooks } from '../../autograd/backward-pass.js';
import type { WeightGradient } from '../../autograd/gradients.js';
import { updateWeight } from '../../engine/engine.js';
import { SharedDataWarning } from '../../engine/shared-data.js';
import type { Clip } from '../../formula/clipping.js';
import { roundingAt } from '../../formula/quantization.js';
import type { Assignment, RuleConstants, UpdateRule } from '../../formula/update-rule.js';
import type { OptimizerState } from '../state/optimizer-state.js';
import type { WeightState } from '../state/weight-state.js';

export interface Gradient extends WeightGradient {
  /** The update disposes the gradient. */
  readonly takesGradient: boolean;
}

/** What all updates of a batch have in common. */
export interface BatchNumbers {
  readonly learningRate: number;
  readonly clip: Clip;
}

/** The gradients given, then those that `during` hands over. */
export interface Batch {
  readonly learningRate: number;
  readonly given: readonly Gradient[];
  readonly during?: (hooks: PassHooks) => void;
  /** The step ends with it, also if micro-batches are missing. */
  readonly endsStep?: boolean;
}

/** Takes one batch. */
export interface Batches {
  /** True if the batch completed a step. */
  run(batch: Batch): boolean;
}

export class WeightUpdates {
  readonly #rule: UpdateRule;
  readonly #constants: RuleConstants;
  /** One array for all steps: engines keep kernels by it. */
  readonly #formula: readonly Assignment[];
  readonly #state: OptimizerState;
  readonly #moved = new Set<tf.Variable>();
  readonly #warning = new SharedDataWarning();
  #torn: tf.Variable | null = null;

  constructor(rule: UpdateRule, constants: RuleConstants, state: OptimizerState) {
    this.#rule = rule;
    this.#constants = constants;
    this.#formula = rule.formula(constants);
    this.#state = state;
  }

  /** The weights that took a step since `begin`. */
  get moved(): readonly tf.Variable[] {
    return [...this.#moved];
  }

  /** The weight whose update broke off when a part of its state was new. */
  get torn(): tf.Variable | null {
    return this.#torn;
  }

  begin(): void {
    this.#moved.clear();
    this.#torn = null;
  }

  /** One whole step of a weight. */
  step(given: Gradient, { learningRate, clip }: BatchNumbers): void {
    const state = this.stateOf(given.weight);
    this.run(given, clip, this.#formula, this.scalarsOf(state, learningRate));
  }

  /** Runs `formula` in place. If it assigns the weight, that is a step of it. */
  run(
    given: Gradient,
    clip: Clip,
    formula: readonly Assignment[],
    scalars: Readonly<Record<string, number>>,
  ): void {
    const state = this.stateOf(given.weight);
    this.#warning.check(given.weight);
    const rounding = roundingAt(state.steps + 1);
    const isRule = formula === this.#formula;
    const rule = isRule ? { name: this.#rule.name, constants: this.#constants } : null;
    const moves = formula.some(({ target }) => target === 'weight');
    const tears = () => void (this.#torn = given.weight);
    state.use((variables) => {
      updateWeight({ ...given, ...variables, rule, formula, rounding, clip, scalars, tears });
      this.#torn = null;
      // Now: what follows may fail, and the weight has its new values.
      if (!moves) return;
      state.steps += 1;
      this.#moved.add(given.weight);
    });
  }

  /** The numbers of the weight's next step. */
  scalarsOf({ steps }: WeightState, learningRate: number): Readonly<Record<string, number>> {
    return this.#rule.scalars(this.#constants, learningRate, steps + 1);
  }

  stateOf(weight: tf.Variable): WeightState {
    const state = this.#state.of(weight);
    if (state === undefined) throw new Error(`'${weight.name}' has no state.`);
    return state;
  }
}
