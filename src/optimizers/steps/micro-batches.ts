/**
 * Several micro-batches make one step, of the mean of their gradients. Gradients go straight into the state
 * where the rule allows it (`accumulation.ts`); else one mean for each weight takes 4 bytes per element.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../../checks/errors.js';
import { type Clip, type Clipping, clipFor, disposeClip } from '../../formula/clipping.js';
import type { RuleConstants, UpdateRule } from '../../formula/update-rule.js';
import { isGone } from '../../tfjs/variables.js';
import { type Accumulation, accumulationOf } from './accumulation.js';
import { GradientMeans } from './gradient-means.js';
import type { Batch, Batches, BatchNumbers, Gradient, WeightUpdates } from './weight-updates.js';

interface MicroBatch extends BatchNumbers {
  readonly isLast: boolean;
}

export class MicroBatches implements Batches {
  readonly #updates: WeightUpdates;
  readonly #clipping: Clipping;
  /** Micro-batches of a step. */
  readonly #of: number;
  /** null: gradients are averaged first. */
  readonly #accumulation: Accumulation | null;
  readonly #means = new GradientMeans();
  /** Weights whose state took a gradient of this step and that have not moved yet. */
  readonly #open = new Set<tf.Variable>();
  /** Weights whose gradient of this micro-batch was taken. If it fails and is run again, only the others are. */
  readonly #served = new Set<tf.Variable>();
  /** Weights that have moved, and whose mean is kept for the norm, in case that the others fail and are tried again. */
  readonly #settled = new Set<tf.Variable>();
  #taken = 0;

  constructor(
    rule: UpdateRule,
    constants: RuleConstants,
    updates: WeightUpdates,
    { clipping, accumulate }: { readonly clipping: Clipping; readonly accumulate: number },
  ) {
    this.#updates = updates;
    this.#clipping = clipping;
    this.#of = accumulate;
    this.#accumulation = clipping.by === 'nothing' ? accumulationOf(rule, constants) : null;
  }

  get taken(): number {
    return this.#taken;
  }

  get isOpen(): boolean {
    return this.#taken > 0 || this.#served.size > 0;
  }

  /** Weights whose gradient of the micro-batch under way was taken. */
  get served(): readonly tf.Variable[] {
    return [...this.#served];
  }

  /** Weights that have gradients of this step and have not moved yet. */
  get waiting(): number {
    return new Set([...this.#means.weights, ...this.#open]).size - this.#settled.size;
  }

  run({ learningRate, given, during, endsStep }: Batch): boolean {
    const isLast = endsStep === true || this.#taken + 1 === this.#of;
    this.#forgetGone();
    const batch = { learningRate, clip: this.#clipFor(given, isLast), isLast };
    for (const each of given) this.#take(each, batch);
    during?.({
      prepare: (weight) => {
        if (this.#served.has(weight)) return;
        if (isLast || this.#takesIntoState(weight)) this.#updates.stateOf(weight).prepare();
      },
      release: (weight, gradient) => this.#take({ weight, gradient, takesGradient: true }, batch),
    });
    if (isLast) this.#takeRest(batch);
    disposeClip(batch.clip);
    for (const weight of this.#settled) this.#means.drop(weight);
    this.#settled.clear();
    this.#served.clear();
    this.#taken = isLast ? 0 : this.#taken + 1;
    return isLast;
  }

  abandon(): void {
    this.#means.dispose();
    this.#open.clear();
    this.#served.clear();
    this.#settled.clear();
    this.#taken = 0;
  }

  /** As if `weights` had got no gradient in this step. */
  forget(weights: readonly tf.Variable[]): void {
    for (const weight of weights) {
      this.#means.drop(weight);
      this.#open.delete(weight);
      this.#served.delete(weight);
      this.#settled.delete(weight);
    }
  }

  #clipFor(given: readonly Gradient[], isLast: boolean): Clip {
    if (this.#clipping.by === 'norm') {
      for (const each of given) this.#intoMeans(each); // the norm is that of the means
    }
    return isLast ? clipFor(this.#clipping, this.#means.tensors) : { by: 'nothing' };
  }

  #take(given: Gradient, batch: MicroBatch): void {
    const { weight, gradient, takesGradient } = given;
    if (this.#served.has(weight)) {
      if (takesGradient) gradient.dispose();
    } else if (this.#takesIntoState(weight)) {
      this.#intoState(given, batch);
      this.#served.add(weight);
    } else {
      this.#intoMeans(given);
      if (batch.isLast) this.#stepByMean(weight, batch);
    }
  }

  #intoMeans({ weight, gradient, takesGradient }: Gradient): void {
    if (this.#served.has(weight)) return;
    // It moved in a step that broke off, and this is another one.
    if (this.#settled.delete(weight)) this.#means.drop(weight);
    this.#means.add(weight, gradient, { of: this.#of, takes: takesGradient });
    this.#served.add(weight);
  }

  /** Keeps the mean until the weight has moved: if the update runs out of memory, it can be tried again. */
  #stepByMean(weight: tf.Variable, batch: MicroBatch): void {
    const gradient = this.#means.of(weight);
    this.#updates.step({ weight, gradient, takesGradient: false }, batch);
    if (this.#clipping.by === 'norm') this.#settled.add(weight);
    else this.#means.drop(weight);
  }

  /** Moves the weights that got no gradient in this last micro-batch, but earlier in the step. */
  #takeRest(batch: MicroBatch): void {
    for (const weight of this.#means.weights) {
      if (!this.#settled.has(weight)) this.#stepByMean(weight, batch);
    }
    for (const weight of this.#open) {
      this.#intoState({ weight, gradient: tf.zeros(weight.shape), takesGradient: true }, batch);
    }
  }

  /** Weights that are disposed, or frozen since: a frozen weight is not moved. */
  #forgetGone(): void {
    const all = [...this.#means.weights, ...this.#open];
    this.forget(all.filter((weight) => !weight.trainable || isGone(weight)));
  }

  /** Quantizing rounds away what is small beside the sum, so quantized state takes the mean. */
  #takesIntoState(weight: tf.Variable): boolean {
    return this.#accumulation !== null && !this.#updates.stateOf(weight).isQuantized;
  }

  #intoState(given: Gradient, { learningRate, clip, isLast }: MicroBatch): void {
    const { formula, stateFormula, scalars } = this.#accumulation as Accumulation;
    const state = this.#updates.stateOf(given.weight);
    const share = { isFirst: !this.#open.has(given.weight), of: this.#of };
    const numbers = scalars(this.#updates.scalarsOf(state, learningRate), share);
    this.#updates.run(given, clip, isLast ? formula : stateFormula, numbers);
    if (isLast) this.#open.delete(given.weight);
    else this.#open.add(given.weight);
  }
}

export function stepIsOpen(call: string, taken: number, of: number): SlowlaneError {
  return new SlowlaneError(
    'STEP_OPEN',
    `${call}() was called after ${taken} of ${of} micro-batches of a step, and their gradients cannot be saved. ` +
      `Take the remaining micro-batches first, or complete the step without them: completeStep().`,
    { taken, of },
  );
}
