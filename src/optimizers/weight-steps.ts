/**
 * Takes steps: one update a weight, all of them after the backward pass or each while it runs. Knows no
 * options and no files: those are `weightwise.ts`.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { BackwardPass } from './backward-pass.js';
import { type Clip, type Clipping, clipFor, disposeClip } from './clipping.js';
import type { WeightGradient } from './gradients.js';
import type { BeginStep } from './inner.js';
import type { Assignment, RuleConstants, UpdateRule } from './update-rule.js';
import type { Updater } from './weight-update.js';
import { updaterFor } from './updater.js';
import type { WeightState, WeightStates } from './weight-states.js';

export interface StepPlan {
  readonly learningRate: number;
  /** Hears of the weights, just before the first of them changes. */
  readonly begin?: BeginStep | undefined;
}

interface OneUpdate {
  readonly update: Updater;
  readonly learningRate: number;
  readonly clip: Clip;
}

export class WeightSteps {
  readonly #rule: UpdateRule;
  readonly #constants: RuleConstants;
  readonly #formula: readonly Assignment[];
  readonly #clipping: Clipping;
  readonly #states: WeightStates;

  constructor(
    rule: UpdateRule,
    constants: RuleConstants,
    clipping: Clipping,
    states: WeightStates,
  ) {
    this.#rule = rule;
    this.#constants = constants;
    this.#formula = rule.formula(constants);
    this.#clipping = clipping;
    this.#states = states;
  }

  /** With gradients that are there. With `frees` each is disposed as soon as it is used. */
  after(
    pairs: readonly WeightGradient[],
    { learningRate, begin }: StepPlan,
    { frees }: { readonly frees: boolean },
  ): void {
    const weights = pairs.map(({ weight }) => weight);
    this.#states.adopt(weights);
    begin?.(weights);
    const update = updaterFor(tf.backend());
    const clip = clipFor(
      this.#clipping,
      pairs.map(({ gradient }) => gradient),
    );
    try {
      for (const [i, { weight, gradient }] of pairs.entries()) {
        // A custom gradient may hand one tensor to two weights.
        const isLastUse = !pairs.some((other, j) => j > i && other.gradient === gradient);
        const one = { update, learningRate, clip };
        this.#update({ weight, gradient, takesGradient: frees && isLastUse }, one);
      }
    } finally {
      this.#states.turn();
      disposeClip(clip);
    }
  }

  /** While the backward pass runs. */
  during(pass: BackwardPass, { learningRate, begin }: StepPlan): void {
    const { weights } = pass;
    this.#states.adopt(weights);
    begin?.(weights);
    const one = {
      update: updaterFor(tf.backend()),
      learningRate,
      clip: clipFor(this.#clipping, []),
    };
    try {
      pass.run({
        prepare: (weight) => this.#stateOf(weight).slots.prepare(),
        release: (weight, gradient) => {
          this.#update({ weight, gradient, takesGradient: true }, one);
        },
      });
    } finally {
      this.#states.turn();
    }
  }

  #update(
    step: WeightGradient & { readonly takesGradient: boolean },
    { update, learningRate, clip }: OneUpdate,
  ): void {
    const state = this.#stateOf(step.weight);
    const scalars = this.#rule.scalars(this.#constants, learningRate, state.steps + 1);
    state.slots.use((variables) => {
      update({ ...step, ...variables, formula: this.#formula, clip, scalars });
    });
    state.steps += 1;
  }

  #stateOf(weight: tf.Variable): WeightState {
    const state = this.#states.of(weight);
    if (state === undefined) throw new Error(`'${weight.name}' has no state.`);
    return state;
  }
}
