/**
 * Takes steps: one update a weight, all of them after the backward pass or each while it runs, of one batch
 * or of several micro-batches. Knows no options and no files: those are `weightwise.ts`.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type Accumulation, GradientMeans } from './gradient-means.js';
import type { BackwardPass } from '../autograd/backward-pass.js';
import { type Clip, type Clipping, clipFor, disposeClip } from '../formula/clipping.js';
import type { WeightGradient } from '../autograd/gradients.js';
import type { BeginStep } from './inner.js';
import { roundingAt } from '../formula/quantization.js';
import type { Assignment, RuleConstants, UpdateRule } from '../formula/update-rule.js';
import { updateWeight } from '../engine/engine.js';
import type { WeightState, WeightStates } from './state/weight-states.js';

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
  /** Null: gradients are averaged first. */
  readonly #accumulation: Accumulation | null;
  /** Of `#accumulation`, without the weight's. */
  readonly #slotsFormula: readonly Assignment[];
  readonly #means = new GradientMeans();
  /** Weights whose slots took a gradient of this step and that have not moved yet. */
  readonly #open = new Set<tf.Variable>();
  /** Whose gradient of this micro-batch is in: if it fails and is taken again, the others follow. */
  readonly #served = new Set<tf.Variable>();
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

  /** True if gradients were taken that have moved no weight yet, perhaps by a micro-batch that failed. */
  get isOpen(): boolean {
    return this.#taken > 0 || this.#served.size > 0;
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
          if (this.#served.has(weight)) return;
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
    if (!this.isOpen) return false;
    this.#taken = this.#of - 1;
    return this.#batch(learningRate, []);
  }

  /** Gives up what was taken; the next micro-batch is the first of a step. */
  abandon(): void {
    this.#means.dispose();
    this.#open.clear();
    this.#served.clear();
    this.#taken = 0;
  }

  #batch(
    learningRate: number,
    given: readonly Gradient[],
    during: (batch: Batch) => void = () => undefined,
  ): boolean {
    const isLast = this.#taken + 1 === this.#of;
    this.#forgetDisposed();
    try {
      // The tidy frees what an update that fails leaves behind.
      tf.tidy(() => {
        const batch = { learningRate, clip: this.#clipFor(given, isLast), isLast };
        for (const gradient of given) this.#take(gradient, batch);
        during(batch);
        if (isLast) this.#takeRest(batch);
        disposeClip(batch.clip);
      });
    } finally {
      this.#states.turn();
    }
    this.#served.clear();
    this.#taken = isLast ? 0 : this.#taken + 1;
    return isLast;
  }

  #clipFor(given: readonly Gradient[], isLast: boolean): Clip {
    if (this.#of > 1 && this.#clipping.by === 'norm') {
      for (const one of given) this.#intoMeans(one); // the norm is that of the means
    }
    if (!isLast) return NO_CLIP;
    const gradients = this.#of > 1 ? this.#means.tensors : given.map(({ gradient }) => gradient);
    return clipFor(this.#clipping, gradients);
  }

  /** One gradient of one micro-batch. */
  #take(given: Gradient, batch: Batch): void {
    const { weight, gradient, takesGradient } = given;
    if (this.#of === 1) this.#update(given, batch);
    else if (this.#served.has(weight)) {
      if (takesGradient) gradient.dispose();
    } else if (this.#isInSlots(this.#stateOf(weight))) {
      this.#intoSlots(given, batch);
      this.#served.add(weight);
    } else {
      this.#intoMeans(given);
      if (batch.isLast) this.#byMean(weight, batch);
    }
  }

  #intoMeans({ weight, gradient, takesGradient }: Gradient): void {
    if (this.#served.has(weight)) return;
    this.#means.add(weight, gradient, { of: this.#of, takes: takesGradient });
    this.#served.add(weight);
  }

  /** Keeps the mean until the weight has moved: if there is no memory for that, the next try finds it. */
  #byMean(weight: tf.Variable, batch: Batch): void {
    this.#update({ weight, gradient: this.#means.of(weight), takesGradient: false }, batch);
    this.#means.drop(weight);
  }

  /** Weights that have not moved yet, such as those that this, the last micro-batch has no gradient of. */
  #takeRest(batch: Batch): void {
    for (const weight of this.#means.weights) this.#byMean(weight, batch);
    for (const weight of this.#open) {
      const gradient = tf.zeros(weight.shape);
      this.#intoSlots({ weight, gradient, takesGradient: true }, batch);
    }
  }

  /** Of a weight that is gone there is nothing to move. */
  #forgetDisposed(): void {
    for (const weight of [...this.#means.weights, ...this.#open]) {
      if (!weight.isDisposed) continue;
      this.#means.drop(weight);
      this.#open.delete(weight);
    }
  }

  /** 8 bits round away what is small beside the sum: those moments take the mean. */
  #isInSlots({ slots }: WeightState): boolean {
    return this.#accumulation !== null && !slots.isQuantized;
  }

  #intoSlots(given: Gradient, { learningRate, clip, isLast }: Batch): void {
    const accumulation = this.#accumulation as Accumulation;
    const state = this.#stateOf(given.weight);
    const share = { isFirst: !this.#open.has(given.weight), of: this.#of };
    const scalars = accumulation.scalars(this.#scalarsOf(state, learningRate), share);
    const formula = isLast ? accumulation.formula : this.#slotsFormula;
    const rounding = roundingAt(state.steps + 1);
    state.slots.use((variables) =>
      updateWeight({ ...given, ...variables, formula, rounding, clip, scalars }),
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
    state.slots.use((variables) =>
      updateWeight({ ...given, ...variables, formula: this.#formula, rounding, clip, scalars }),
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
