/**
 * Any other tf.Optimizer inside Lookahead. Those of TensorFlow.js keep their state by position in the variable list
 * and leak some tensors; this adapter keeps the list constant and stops the leaks.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError, type SlowlaneErrorDetails } from '../checks/errors.js';
import { checkNumber, shown } from '../checks/check.js';
import { gradientsWhole } from '../tfjs/engine-state.js';
import { hostTensor } from '../tfjs/host-tensor.js';
import {
  checkOptimizerFields,
  disposeOptimizer,
  rateOf,
  setBetaPowers,
  setIterations,
  setRate,
  stateOf,
} from '../tfjs/optimizer-fields.js';
import { allVariables, isGone, variablesByName } from '../tfjs/variables.js';
import {
  type Gradients,
  type WeightGradient,
  checkGradients,
  gradientNames,
  matchGradients,
} from '../autograd/gradients.js';
import type {
  BeginStep,
  InnerOptimizer,
  PreparedState,
  StateTensor,
  SecondMoment,
} from './inner-optimizer.js';
import type { LearningRate } from './learning-rate.js';
import { copiesOf, type NamedTensor } from '../tfjs/named-tensor.js';
import { readForeign } from './state/foreign-state.js';
import { type SavedEntry, undecided } from './state/match-saved.js';
import { type OwnerMap, Owners, assertAmong } from './state/owners.js';
import { splitName } from './state/state-names.js';
import { stepFailed } from './steps/step-failed.js';
import { WeightwiseOptimizer } from './weightwise.js';

/** Lookahead's contract for any optimizer. Our own keep it themselves and are returned as they are. */
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

/** By class name: the state that estimates E[g²], and what makes an unbiased estimate of it after `step` steps. */
const SECOND_MOMENTS: Readonly<
  Record<string, { ending: string; scale(of: tf.Optimizer, step: number): number }>
> = {
  Adam: { ending: '/v', scale: (of, step) => 1 / (1 - Number(of.getConfig()['beta2']) ** step) },
  RMSProp: {
    ending: '/rms',
    scale: (of, step) => 1 / (1 - Number(of.getConfig()['decay']) ** step),
  },
  Adagrad: { ending: '/accumulator', scale: (_, step) => 1 / step },
};

export class ForeignInner implements InnerOptimizer {
  readonly optimizer: tf.Optimizer;
  readonly supportsState: boolean;
  /** The weights by position; null until the first step or `adopt`. */
  #weights: readonly tf.Variable[] | null = null;
  /** The weights of restored state, in the order of their positions. */
  #restored: RestoredPlaces | null = null;
  #moved: readonly tf.Variable[] = [];
  #isDisposed = false;

  constructor(optimizer: tf.Optimizer) {
    checkOptimizerFields(optimizer);
    this.optimizer = optimizer;
    this.supportsState =
      optimizer.getClassName() !== 'Adamax' &&
      optimizer.getWeights !== tf.Optimizer.prototype.getWeights;
  }

  get iterations(): number {
    return this.optimizer.iterations;
  }

  get moved(): readonly tf.Variable[] {
    return this.#moved;
  }

  get learningRate(): number {
    const rate = rateOf(this.optimizer);
    if (typeof rate === 'number') return rate;
    throw this.#unsupported('has no learningRate that can be read.');
  }

  /** tf.train's optimizers take numbers alone. */
  set learningRate(value: LearningRate) {
    const rate = checkNumber('learningRate', value, { min: 0 });
    if (setRate(this.optimizer, rate)) return;
    throw this.#unsupported('has no learningRate that can be set.');
  }

  minimize(
    f: () => tf.Scalar,
    returnCost = false,
    varList?: tf.Variable[],
    begin?: BeginStep,
  ): tf.Scalar | null {
    const { value, grads } = gradientsWhole(() =>
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
    const registered = variablesByName();
    const named = gradientNames(gradients).flatMap((name) => registered[name] ?? []);
    this.#apply(this.#places(named), found);
  }

  /** Fixes the list; the state itself is made by the first step. */
  adopt(variables: readonly tf.Variable[]): void {
    this.#weights = this.#places(variables);
  }

  meet(weights: readonly tf.Variable[], { isWhole }: { readonly isWhole: boolean }): void {
    this.#restored?.owners.meet(weights, [], { isWhole });
  }

  state(): readonly StateTensor[] | Promise<readonly StateTensor[]> {
    const entries = stateOf(this.optimizer);
    return entries ? this.#listed(entries) : this.#entries().then((all) => this.#listed(all));
  }

  #listed(entries: readonly NamedTensor[]): readonly StateTensor[] {
    const initial = this.#initial;
    return this.#placed(entries)
      .filter(({ variable }) => !isGone(variable))
      .map(({ name, variable, weight }) => {
        return { variable, weight, slots: [splitName(name).slot], initial };
      });
  }

  /** Only of all weights: Adam has one step count for all of them. */
  async reset(weights: readonly (tf.Variable | undefined)[] = this.#owners): Promise<void> {
    const kept = this.#owners.filter((owner) => !weights.includes(owner));
    if (!kept.every((owner) => owner !== undefined && isGone(owner))) {
      throw this.#unsupported(
        `cannot reset the state of only some of its weights. Use one of slowlane's own optimizers.`,
      );
    }
    for (const { name, tensor } of await this.#entries()) {
      if (isGone(tensor)) continue;
      if (!(tensor instanceof tf.Variable)) {
        throw this.#unsupported(`cannot reset '${name}', which is no variable.`, { state: name });
      }
      tf.tidy(() => tensor.assign(tf.fill(tensor.shape, this.#initial)));
    }
    setIterations(this.optimizer, 0);
    // Without this, Adam's corrections would be those of the old step count.
    setBetaPowers(this.optimizer, 0);
  }

  readonly resetsByWeight = false;

  get hasSecondMoment(): boolean {
    return this.optimizer.getClassName() in SECOND_MOMENTS;
  }

  async secondMoment(weight: tf.Variable): Promise<SecondMoment | null> {
    const moment = SECOND_MOMENTS[this.optimizer.getClassName()];
    if (moment === undefined || this.iterations === 0) return null;
    const found = this.#placed(await this.#entries()).find(
      (state) => state.weight === weight && state.name.endsWith(moment.ending),
    );
    if (found === undefined) return null;
    return { diagonal: found.variable, scale: moment.scale(this.optimizer, this.iterations) };
  }

  async getWeights(): Promise<NamedTensor[]> {
    const iterations = hostTensor(Int32Array.of(this.iterations), []);
    const entries = await this.#entries();
    if (entries.some(({ tensor }) => isGone(tensor))) throw this.#goneState();
    return [{ name: 'iter', tensor: iterations }, ...entries];
  }

  /** The state gets other variables: list it again. */
  async setWeights(weights: NamedTensor[]): Promise<void> {
    await (await this.prepare(weights)).commit();
  }

  async prepare(weights: NamedTensor[], known?: OwnerMap): Promise<PreparedState> {
    const copies = copiesOf(weights);
    const dispose = () => tf.dispose(copies.map(({ tensor }) => tensor));
    try {
      const replaced = await this.#entries();
      const { iterations, weights: saved } = await readForeign(this.optimizer, copies);
      const seen = (this.#weights ?? []).filter((weight) => !isGone(weight));
      const restored = saved && { saved, owners: new Owners(saved, { known }) };
      const isMet = known !== undefined || seen.length > 0;
      if (restored && isMet) placesOf(restored, seen);
      const commit = async (): Promise<void> => {
        try {
          await this.optimizer.setWeights(copies); // makes its own variables from them
        } finally {
          dispose();
        }
        tf.dispose(replaced.map(({ tensor }) => tensor).filter((tensor) => !isGone(tensor)));
        setBetaPowers(this.optimizer, this.iterations);
        if (saved === null) return; // only the optimizer knows whose it is
        this.#restored = restored;
        this.#weights = restored && isMet ? placesOf(restored, []) : null;
      };
      return { iterations, commit, dispose };
    } catch (cause) {
      dispose();
      throw cause;
    }
  }

  /** Of restored state that has not met its weights, it is not known. */
  assertWithin(weights: readonly tf.Variable[]): void {
    if (!this.#isStateless && this.supportsState) assertAmong(this.#owners, weights);
  }

  /** It keeps its state by position: none can be taken out. */
  forget(weights: readonly tf.Variable[]): void {
    if (this.#isStateless || !weights.some((weight) => this.#owners.includes(weight))) return;
    throw this.#unsupported(
      `cannot forget the state of some of its weights. Use one of slowlane's own optimizers.`,
    );
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    disposeOptimizer(this.optimizer);
  }

  /** All that its `getWeights` gives but the step count, whose scalar TensorFlow.js would leak. */
  async #entries(): Promise<NamedTensor[]> {
    if (!this.supportsState) {
      throw this.#unsupported(
        `cannot list or restore its state, which this call needs. Use one of slowlane's own optimizers, or ` +
          `leave the inner state as it is and save without it.`,
      );
    }
    const known = stateOf(this.optimizer);
    if (known) return known;
    const [first, ...rest] = await this.optimizer.getWeights();
    if (first === undefined) return [];
    if (first.name !== 'iter') return [first, ...rest];
    first.tensor.dispose();
    return rest;
  }

  /** TensorFlow.js lists state in groups, each in the order of the weights. */
  #placed(
    entries: readonly NamedTensor[],
  ): { name: string; variable: tf.Variable; weight: tf.Variable }[] {
    const weights = this.#owners;
    if (weights.length === 0 || weights.includes(undefined)) return [];
    return entries.map(({ name, tensor }, i) => {
      const weight = weights[i % weights.length];
      const isWhole = entries.length % weights.length === 0;
      if (
        isWhole &&
        weight &&
        tensor instanceof tf.Variable &&
        tf.util.arraysEqual(tensor.shape, weight.shape)
      ) {
        return { name, variable: tensor, weight };
      }
      throw this.#unsupported(
        `has state that is not in groups of one variable for each of its ${weights.length} weights: '${name}' ` +
          `(shape [${tensor.shape.join(', ')}], number ${i} of ${entries.length}) belongs to none. Use one of ` +
          `slowlane's own optimizers.`,
        { state: name },
      );
    });
  }

  #apply(places: readonly tf.Variable[], found: readonly WeightGradient[]): void {
    const byWeight = new Map(found.map(({ weight, gradient }) => [weight, gradient]));
    const inPlace = places.map((weight) => ({
      name: weight.name,
      tensor: byWeight.get(weight) ?? null, // TensorFlow.js leaves these alone
    }));
    // TensorFlow.js gives a variable new data, weights and state alike.
    const before = new Map(allVariables().map((variable) => [variable, variable.dataId]));
    try {
      this.optimizer.applyGradients(inPlace as NamedTensor[]);
    } catch (cause) {
      const changed = [...before].filter(([{ dataId }, old]) => dataId !== old);
      const weights = new Set(places);
      const moved = changed.flatMap(([variable]) => (weights.has(variable) ? [variable] : []));
      const stateChanged = changed.length - moved.length;
      throw stepFailed(cause, { of: found.length, moved, stateChanged });
    }
    this.#weights = places;
    this.#moved = found.map(({ weight }) => weight);
  }

  /** The list for each step. It may lack known weights, which keep their places, but have no new ones. */
  #places(variables: readonly tf.Variable[]): readonly tf.Variable[] {
    const known = this.#weights ?? [];
    if (known.length === 0 || this.#isStateless) {
      return this.#restored ? placesOf(this.#restored, variables) : [...new Set(variables)];
    }
    if (known.every(isGone)) throw this.#goneState();
    const fresh = variables.filter((variable) => !known.includes(variable));
    if (fresh.length === 0) return known;
    throw this.#unsupported(
      `keeps its state by position in the list of its first step, [${names(known)}], and has none for ` +
        `[${names(fresh)}]. Train these from the first step on, or use one of slowlane's own optimizers, which ` +
        `go by variable.`,
      { known: known.map(({ name }) => name), fresh: fresh.map(({ name }) => name) },
    );
  }

  /** The weights that state belongs to, by position. Restored state may not have met its weight: undefined. */
  get #owners(): readonly (tf.Variable | undefined)[] {
    return this.#weights ?? (this.#restored ? ownersOf(this.#restored) : []);
  }

  /** Every element of fresh state. */
  get #initial(): number {
    const { initialAccumulatorValue } = this.optimizer.getConfig();
    return typeof initialAccumulatorValue === 'number' ? initialAccumulatorValue : 0;
  }

  /** tf.train.sgd keeps nothing of any weight: all positions are alike. */
  get #isStateless(): boolean {
    return this.optimizer.getClassName() === 'SGD';
  }

  #goneState(): SlowlaneError {
    return this.#unsupported(
      `was made for weights that are disposed, and tf.disposeVariables() disposes its state too. Make a new optimizer, or use one of slowlane's own, which begins afresh.`,
    );
  }

  #unsupported(what: string, details: SlowlaneErrorDetails = {}): SlowlaneError {
    const optimizer = this.optimizer.getClassName();
    return new SlowlaneError('UNSUPPORTED_INNER', `${optimizer} ${what}`, {
      optimizer,
      ...details,
    });
  }
}

interface RestoredPlaces {
  readonly saved: readonly SavedEntry[];
  readonly owners: Owners;
}

/** undefined: has not met its weight yet. */
function ownersOf({ saved, owners }: RestoredPlaces): readonly (tf.Variable | undefined)[] {
  return saved.map(({ name }) => owners.of(name));
}

/** First those whose state was restored, in the order in which it was saved. */
function placesOf(
  { saved, owners }: RestoredPlaces,
  variables: readonly tf.Variable[],
): readonly tf.Variable[] {
  owners.meet(variables);
  const restored = ownersOf({ saved, owners });
  const missing = saved.filter((_, i) => restored[i] === undefined);
  if (missing.length > 0) throw undecided(missing, variables);
  return [...new Set([...(restored as tf.Variable[]), ...variables])];
}

function names(variables: readonly tf.Variable[]): string {
  const shownNames = variables.slice(0, 8).map(({ name }) => name);
  return shownNames.join(', ') + (variables.length > 8 ? `, … ${variables.length} in all` : '');
}
