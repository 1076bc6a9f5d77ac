/**
 * Any other tf.Optimizer inside Lookahead. TensorFlow.js's own keep their slots by position in the
 * variable list and leak here and there; this adapter holds the list constant and stops the leaks.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../checks/errors.js';
import { shown } from '../checks/check.js';
import { hostTensor } from '../tfjs/host-tensor.js';
import {
  type Gradients,
  type WeightGradient,
  checkGradients,
  gradientNames,
  matchGradients,
} from '../autograd/gradients.js';
import type { BeginStep, InnerOptimizer, StateTensor, SecondMoment } from './inner.js';
import type { NamedTensor } from '../tfjs/named-tensor.js';
import { WeightwiseOptimizer } from './weightwise.js';

/** The contract of Lookahead for any optimizer; our own fulfil it themselves and come back as they are. */
export function asInner(optimizer: tf.Optimizer): InnerOptimizer {
  if (optimizer instanceof WeightwiseOptimizer) return optimizer;
  const given: unknown = optimizer;
  if (typeof given === 'object' && given !== null && given instanceof tf.Optimizer) {
    return new ForeignInner(optimizer);
  }
  throw new TypeError(
    `The inner optimizer must be one of slowlane's (sgd(), adam() …) or a tf.Optimizer (tf.train.…), got ${shown(given)}.`,
  );
}

/** What we touch inside of TensorFlow.js's optimizers, because nothing public does it. */
interface Internals {
  iterations_?: number;
  /** Adam: β₁ᵗ⁺¹ and β₂ᵗ⁺¹ after t steps. */
  readonly accBeta1?: unknown;
  readonly accBeta2?: unknown;
  readonly beta1?: unknown;
  readonly beta2?: unknown;
  /** Momentum: −γ as a tensor, which its dispose() forgets. */
  readonly c?: unknown;
}

/** Names of slots that estimate E[g²]: Adam, RMSProp, Adagrad. */
const SECOND_MOMENT = /\/(?:v|rms|accumulator)$/;

/** By class name: what makes an estimate of E[g²] of that slot after `step` steps. */
const SECOND_MOMENT_SCALE: Readonly<Record<string, (of: tf.Optimizer, step: number) => number>> = {
  Adam: (of, step) => 1 / (1 - Number(of.getConfig()['beta2']) ** step),
  RMSProp: (of, step) => 1 / (1 - Number(of.getConfig()['decay']) ** step),
  Adagrad: (_, step) => 1 / step,
};

export class ForeignInner implements InnerOptimizer {
  readonly optimizer: tf.Optimizer;
  readonly supportsState: boolean;
  /** The weights by position; null until the first step or `adopt`. */
  #weights: readonly tf.Variable[] | null = null;
  #isDisposed = false;

  constructor(optimizer: tf.Optimizer) {
    this.optimizer = optimizer;
    this.supportsState =
      optimizer.getClassName() !== 'Adamax' &&
      optimizer.getWeights !== tf.Optimizer.prototype.getWeights;
  }

  get iterations(): number {
    return this.optimizer.iterations;
  }

  minimize(
    f: () => tf.Scalar,
    returnCost = false,
    varList?: tf.Variable[],
    begin?: BeginStep,
  ): tf.Scalar | null {
    const { value, grads } = tf.tidy(() =>
      this.optimizer.computeGradients(f, varList ?? undefined),
    );
    let keepsValue = false;
    try {
      const found = matchGradients(grads, varList ?? undefined);
      const weights = found.map(({ weight }) => weight);
      // TensorFlow.js registers some of its own state as trainable, so "all trainable" is no list.
      const places = this.#places(varList ?? weights);
      begin?.(weights);
      this.#apply(places, found);
      keepsValue = returnCost || value instanceof tf.Variable;
    } finally {
      tf.dispose(grads);
      if (!keepsValue) value.dispose();
    }
    return returnCost ? value : null;
  }

  applyGradients(gradients: Gradients): void {
    const found = checkGradients(gradients);
    const registered = tf.engine().registeredVariables;
    const named = gradientNames(gradients).flatMap((name) => registered[name] ?? []);
    this.#apply(this.#places(named), found);
  }

  /** Fixes the list; the slots themselves come with the first step. */
  adopt(variables: readonly tf.Variable[]): void {
    this.#weights = this.#places(variables);
  }

  async state(): Promise<readonly StateTensor[]> {
    const entries = await this.#slotEntries();
    return this.#placed(entries).map(({ variable, weight }) => ({
      variable,
      weight,
      initial: this.#initial(),
    }));
  }

  /** Of all weights only: Adam has one step count for all of them. */
  async reset(weights?: readonly tf.Variable[]): Promise<void> {
    if (
      weights &&
      this.#weights?.some((weight) => !weights.includes(weight) && !weight.isDisposed)
    ) {
      throw new SlowlaneError(
        'UNSUPPORTED_INNER',
        `${this.optimizer.getClassName()} cannot reset the state of some of its weights only. Use one of slowlane's own optimizers.`,
        { optimizer: this.optimizer.getClassName() },
      );
    }
    const slots = await this.state();
    for (const { variable, initial } of slots) {
      tf.tidy(() => variable.assign(tf.fill(variable.shape, initial)));
    }
    const internals = this.optimizer as unknown as Internals;
    internals.iterations_ = 0;
    // Without this, Adam takes full-sized corrections of moments that have just begun at 0 again.
    restart(internals.accBeta1, internals.beta1);
    restart(internals.accBeta2, internals.beta2);
  }

  readonly resetsByWeight = false;

  get hasSecondMoment(): boolean {
    return this.optimizer.getClassName() in SECOND_MOMENT_SCALE;
  }

  async secondMoment(weight: tf.Variable): Promise<SecondMoment | null> {
    if (!this.hasSecondMoment) return null;
    const placed = this.#placed(await this.#slotEntries());
    const found = placed.find((slot) => slot.weight === weight && SECOND_MOMENT.test(slot.name));
    const scale = SECOND_MOMENT_SCALE[this.optimizer.getClassName()];
    if (!found || !scale || this.iterations === 0) return null;
    return { diagonal: found.variable, scale: scale(this.optimizer, this.iterations) };
  }

  async getWeights(): Promise<NamedTensor[]> {
    const slots = await this.#slotEntries();
    return [{ name: 'iter', tensor: hostTensor(Int32Array.of(this.iterations), []) }, ...slots];
  }

  /** The slots become other variables: list them again. */
  async setWeights(weights: NamedTensor[]): Promise<void> {
    const copies = weights.map(({ name, tensor }) => ({ name, tensor: tf.keep(tensor.clone()) }));
    try {
      const replaced = await this.#slotEntries();
      await this.optimizer.setWeights(copies); // makes variables of its own from them
      tf.dispose(replaced.map(({ tensor }) => tensor));
      const internals = this.optimizer as unknown as Internals;
      // TensorFlow.js restores these by pow(), which differs in the last bit from the training's way.
      multiplyUp(internals.accBeta1, internals.beta1, this.iterations);
      multiplyUp(internals.accBeta2, internals.beta2, this.iterations);
    } finally {
      tf.dispose(copies.map(({ tensor }) => tensor));
    }
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.optimizer.dispose();
    const { c } = this.optimizer as unknown as Internals;
    if (this.optimizer.getClassName() === 'Momentum' && c instanceof tf.Tensor) c.dispose();
  }

  /** Everything `getWeights` gives but the step count, whose scalar TensorFlow.js would leak. */
  async #slotEntries(): Promise<NamedTensor[]> {
    const name = this.optimizer.getClassName();
    if (!this.supportsState) {
      throw new SlowlaneError(
        'UNSUPPORTED_INNER',
        `${name} cannot list or restore its state, which this call needs. Use one of slowlane's own ` +
          `optimizers, or leave the inner state as it is and save without it.`,
        { optimizer: name },
      );
    }
    const [first, ...rest] = await this.optimizer.getWeights();
    if (first === undefined) return [];
    if (first.name !== 'iter') return [first, ...rest];
    first.tensor.dispose();
    return rest;
  }

  /** TensorFlow.js lists its slots in groups, each in the order of the weights. */
  #placed(
    entries: readonly NamedTensor[],
  ): { name: string; variable: tf.Variable; weight: tf.Variable }[] {
    const weights = this.#weights;
    if (weights === null || entries.length === 0) return [];
    return entries.map(({ name, tensor }, i) => {
      const weight = weights[i % weights.length];
      const isWhole = entries.length % weights.length === 0;
      if (isWhole && weight && tensor instanceof tf.Variable && fits(tensor, weight)) {
        return { name, variable: tensor, weight };
      }
      throw new SlowlaneError(
        'UNSUPPORTED_INNER',
        `The state of ${this.optimizer.getClassName()} is not made of variables in groups of one for each ` +
          `of its ${weights.length} weights: '${name}' (shape [${tensor.shape.join(', ')}], number ${i} of ` +
          `${entries.length}) has no place.`,
        { optimizer: this.optimizer.getClassName(), slot: name },
      );
    });
  }

  #initial(): number {
    const { initialAccumulatorValue } = this.optimizer.getConfig();
    return typeof initialAccumulatorValue === 'number' ? initialAccumulatorValue : 0;
  }

  #apply(places: readonly tf.Variable[], found: readonly WeightGradient[]): void {
    const byWeight = new Map(found.map(({ weight, gradient }) => [weight, gradient]));
    const inPlace = places.map((weight) => ({
      name: weight.name,
      tensor: byWeight.get(weight) ?? null, // TensorFlow.js leaves these alone
    }));
    this.optimizer.applyGradients(inPlace as NamedTensor[]);
    this.#weights = places;
  }

  /** The list that every step gets: fewer weights keep their places, new ones have none. */
  #places(variables: readonly tf.Variable[]): readonly tf.Variable[] {
    const known = this.#weights;
    if (known === null) return [...new Set(variables)];
    const fresh = variables.filter((variable) => !known.includes(variable));
    if (fresh.length === 0) return known;
    throw new SlowlaneError(
      'UNSUPPORTED_INNER',
      `${this.optimizer.getClassName()} keeps its slots by position in the list of its first step, ` +
        `[${names(known)}], and has none for [${names(fresh)}]. Train these from the first step on, or use ` +
        `one of slowlane's own optimizers, which go by variable.`,
      { known: known.map(({ name }) => name), fresh: fresh.map(({ name }) => name) },
    );
  }
}

function restart(power: unknown, beta: unknown): void {
  multiplyUp(power, beta, 0);
}

/** βᵗ⁺¹ after t steps, rounded to float32 after each as in training. */
function multiplyUp(power: unknown, beta: unknown, steps: number): void {
  if (!(power instanceof tf.Variable) || typeof beta !== 'number') return;
  const factor = Math.fround(beta);
  let value = factor;
  for (let t = 0; t < steps && value !== 0; t++) value = Math.fround(value * factor);
  tf.tidy(() => power.assign(tf.scalar(value)));
}

function fits(slot: tf.Tensor, weight: tf.Variable): boolean {
  return tf.util.arraysEqual(slot.shape, weight.shape);
}

function names(variables: readonly tf.Variable[]): string {
  const shownNames = variables.slice(0, 8).map(({ name }) => name);
  return shownNames.join(', ') + (variables.length > 8 ? `, … ${variables.length} in all` : '');
}
