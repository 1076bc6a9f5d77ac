/**
 * Takes steps: one update a weight, all of them after the backward pass or each while it runs, of one batch
 * or of several micro-batches. Knows no options and no files: those are `weightwise.ts`.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type Accumulation, GradientSums } from './accumulation.js';
import type { BackwardPass } from './backward-pass.js';
import { type Clip, type Clipping, clipFor, disposeClip } from './clipping.js';
import type { WeightGradient } from './gradients.js';
import type { BeginStep } from './inner.js';
import { roundingAt } from './moment-code.js';
import type { Assignment, RuleConstants, UpdateRule } from './update-rule.js';
import { updaterFor } from './updater.js';
import type { WeightState, WeightStates } from './weight-states.js';

export interface StepPlan {
  readonly learningRate: number;
  /** Hears of the weights, just before the first of them changes. */
  readonly begin?: BeginStep | undefined;
}

interface Gradient extends WeightGradient {
  /** The gradient is to be disposed once it is used. */
  readonly takesGradient: boolean;
}

/** What all updates of a micro-batch have in common. */
interface Batch {
  readonly learningRate: number;
  readonly clip: Clip;
  readonly isLast: boolean;
}

export class WeightSteps {
  readonly #rule: UpdateRule;
  readonly #constants: RuleConstants;
  readonly #formula: readonly Assignment[];
  readonly #clipping: Clipping;
  readonly #states: WeightStates;
  /** Micro-batches to a step. */
  readonly #of: number;
  /** Null: gradients are summed. */
  readonly #accumulation: Accumulation | null;
  /** Of `#accumulation`, without the weight's. */
  readonly #slotsFormula: readonly Assignment[];
  readonly #sums = new GradientSums();
  /** Weights whose slots took a gradient of this step and that have not moved yet. */
  readonly #open = new Set<tf.Variable>();
  #taken = 0;

  constructor(
    rule: UpdateRule,
    constants: RuleConstants,
    states: WeightStates,
    how: { readonly clipping: Clipping; readonly accumulate: number },
  ) {
    this.#rule = rule;
    this.#constants = constants;
    this.#formula = rule.formula(constants);
    this.#clipping = how.clipping;
    this.#states = states;
    this.#of = how.accumulate;
    const isInSlots = how.accumulate > 1 && how.clipping.by === 'nothing';
    this.#accumulation = (isInSlots && rule.accumulation?.(constants)) || null;
    this.#slotsFormula =
      this.#accumulation?.formula.filter(({ target }) => target !== 'weight') ?? [];
  }

  /** Micro-batches of the step that is under way. */
  get taken(): number {
    return this.#taken;
  }

  /** With gradients that are there. With `frees` each is disposed as soon as it is used. True: a step is done. */
  after(
    pairs: readonly WeightGradient[],
    { learningRate, begin }: StepPlan,
    { frees }: { readonly frees: boolean },
  ): boolean {
    const weights = pairs.map(({ weight }) => weight);
    this.#states.adopt(weights);
    begin?.(weights);
    // A custom gradient may hand one tensor to two weights.
    const given = pairs.map(({ weight, gradient }, i) => {
      const isLastUse = !pairs.some((other, j) => j > i && other.gradient === gradient);
      return { weight, gradient, takesGradient: frees && isLastUse };
    });
    return this.#batch(learningRate, given);
  }

  /** While the backward pass runs. True: a step is done. */
  during(pass: BackwardPass, { learningRate, begin }: StepPlan): boolean {
    this.#states.adopt(pass.weights);
    begin?.(pass.weights);
    return this.#batch(learningRate, [], (batch) => {
      pass.run({
        prepare: (weight) => {
          const state = this.#stateOf(weight);
          if (batch.isLast || this.#isInSlots(state)) state.slots.prepare();
        },
        release: (weight, gradient) => {
          this.#take({ weight, gradient, takesGradient: true }, batch);
        },
      });
    });
  }

  /** The step of the micro-batches so far, as if the gradients of the others were 0. False: there were none. */
  complete(learningRate: number): boolean {
    if (this.#taken === 0) return false;
    this.#taken = this.#of - 1;
    return this.#batch(learningRate, []);
  }

  /** Gives up what was summed; the next micro-batch is the first of a step. */
  abandon(): void {
    this.#sums.dispose();
    this.#open.clear();
    this.#taken = 0;
  }

  #batch(
    learningRate: number,
    given: readonly Gradient[],
    during: (batch: Batch) => void = () => undefined,
  ): boolean {
    const isLast = this.#taken + 1 === this.#of;
    // The norm is that of the means.
    const isByNorm = isLast && this.#clipping.by === 'norm';
    const gradients = isByNorm ? this.#means(given) : given;
    const clip = isLast
      ? clipFor(
          this.#clipping,
          gradients.map(({ gradient }) => gradient),
        )
      : NO_CLIP;
    const batch = { learningRate, clip, isLast };
    try {
      for (const gradient of gradients) {
        if (isByNorm) this.#update(gradient, batch);
        else this.#take(gradient, batch);
      }
      during(batch);
      if (isLast) this.#takeRest(batch);
    } finally {
      this.#states.turn();
      disposeClip(clip);
    }
    this.#taken = isLast ? 0 : this.#taken + 1;
    return isLast;
  }

  /** One gradient of one micro-batch. */
  #take(given: Gradient, batch: Batch): void {
    const { weight, gradient, takesGradient } = given;
    if (this.#of === 1) this.#update(given, batch);
    else if (this.#isInSlots(this.#stateOf(weight))) this.#intoSlots(given, batch);
    else if (batch.isLast) this.#update(this.#mean(given), batch);
    else {
      this.#sums.add(weight, gradient);
      if (takesGradient) gradient.dispose();
    }
  }

  /** Weights that this, the last micro-batch has no gradient of. */
  #takeRest(batch: Batch): void {
    for (const weight of this.#sums.weights) {
      const gradient = this.#sums.take(weight, null, this.#of);
      this.#update({ weight, gradient, takesGradient: true }, batch);
    }
    for (const weight of this.#open) {
      const gradient = tf.zeros(weight.shape);
      this.#intoSlots({ weight, gradient, takesGradient: true }, batch);
    }
  }

  /** In place of sums and gradients. */
  #means(given: readonly Gradient[]): readonly Gradient[] {
    if (this.#of === 1) return given;
    const means = given.map((one) => this.#mean(one));
    const rest = this.#sums.weights.map((weight) => ({
      weight,
      gradient: this.#sums.take(weight, null, this.#of),
      takesGradient: true,
    }));
    return [...means, ...rest];
  }

  #mean({ weight, gradient, takesGradient }: Gradient): Gradient {
    const mean = this.#sums.take(weight, gradient, this.#of);
    if (takesGradient) gradient.dispose();
    return { weight, gradient: mean, takesGradient: true };
  }

  /** 8 bits round away what is small beside the sum: those moments take the mean. */
  #isInSlots({ slots }: WeightState): boolean {
    return this.#accumulation !== null && !slots.isCoded;
  }

  #intoSlots(given: Gradient, { learningRate, clip, isLast }: Batch): void {
    const accumulation = this.#accumulation as Accumulation;
    const state = this.#stateOf(given.weight);
    const share = { isFirst: !this.#open.has(given.weight), of: this.#of };
    const scalars = accumulation.scalars(this.#scalarsOf(state, learningRate), share);
    const formula = isLast ? accumulation.formula : this.#slotsFormula;
    const update = updaterFor(tf.backend());
    const rounding = roundingAt(state.steps + 1);
    state.slots.use((variables) =>
      update({ ...given, ...variables, formula, rounding, clip, scalars }),
    );
    if (!isLast) {
      this.#open.add(given.weight);
      return;
    }
    this.#open.delete(given.weight);
    state.steps += 1;
  }

  #update(given: Gradient, { learningRate, clip }: Batch): void {
    const state = this.#stateOf(given.weight);
    const scalars = this.#scalarsOf(state, learningRate);
    const rounding = roundingAt(state.steps + 1);
    const update = updaterFor(tf.backend());
    state.slots.use((variables) =>
      update({ ...given, ...variables, formula: this.#formula, rounding, clip, scalars }),
    );
    state.steps += 1;
  }

  #scalarsOf({ steps }: WeightState, learningRate: number): Readonly<Record<string, number>> {
    return this.#rule.scalars(this.#constants, learningRate, steps + 1);
  }

  #stateOf(weight: tf.Variable): WeightState {
    const state = this.#states.of(weight);
    if (state === undefined) throw new Error(`'${weight.name}' has no state.`);
    return state;
  }
}

const NO_CLIP: Clip = { by: 'nothing' };
