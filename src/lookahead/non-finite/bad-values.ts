// What a sync looks through for a NaN or an infinity before it changes anything: the fast weights, also the excluded ones,
// the inner state of weights that take steps, and the gradients of adaptive(). One reduction a tensor, one readback for all that is on the
// device; what is on the host is looked through there.
//
// The inner state matters beside finite weights, too: a second moment that has become infinite, because |g| > 1.8e19,
// keeps its weight where it is for ever.

import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';
import { atOnce, awaited, firstNonFinite, type Reading } from '../../engines/finite.js';
import type { InnerOptimizer, StateTensor } from '../../optimizers/inner-optimizer.js';
import type { CycleState } from '../cycle-state.js';
import { type BadValue, inExcluded, inGradient, inState, inWeight } from './bad-value.js';
import type { Tracked } from '../weights/tracking.js';

export class BadValues {
  readonly #inner: InnerOptimizer;
  readonly #state: CycleState;

  constructor(inner: InnerOptimizer, state: CycleState) {
    this.#inner = inner;
    this.#state = state;
  }

  /** The first of what belongs to a sync of `due`, weights first. */
  async first(due: readonly Tracked[]): Promise<BadValue | null> {
    const others = this.#others(await stateOf(this.#inner));
    const bad = await this.#state.tracking.store.inspect(due, notAmong(due, others));
    if (bad) return awaited(this.#named(bad, others.get(bad)));
    const found = await this.#inner.firstBadOnHost?.((weight) => this.#takesSteps(weight));
    return found ? inState(found.weight.name, found.slot) : null;
  }

  /** The same without waiting. State that has to be awaited, of classes that TensorFlow.js does not have, is left out. */
  firstAtOnce(due: readonly Tracked[]): BadValue | null {
    const all = this.#inner.supportsState ? this.#inner.state() : [];
    if (all instanceof Promise) all.catch(() => undefined);
    const others = this.#others(all instanceof Promise ? [] : all);
    const bad = this.#state.tracking.store.atOnce?.inspect(due, notAmong(due, others)) ?? null;
    return bad && atOnce(this.#named(bad, others.get(bad)));
  }

  /** True if any inner state holds one, or if reading it throws because a failing device spoilt it. */
  async areInState(): Promise<boolean> {
    const state = await stateOf(this.#inner);
    try {
      if (await this.#inner.firstBadOnHost?.(() => true)) return true;
      return (await firstNonFinite(state.map(({ variable }) => variable))) !== null;
    } catch {
      return true;
    }
  }

  #takesSteps(weight: tf.Variable): boolean {
    return !this.#state.tracking.isFrozen(weight);
  }

  /** What is looked through beside the weights that are due. With innerState: 'interpolate' state is due, too. */
  #others(state: readonly StateTensor[]): ReadonlyMap<tf.Tensor, BadValue | StateTensor> {
    const { tracking, stepSizes } = this.#state;
    const ofSteps = state.filter(({ weight }) => this.#takesSteps(weight));
    return new Map<tf.Tensor, BadValue | StateTensor>([
      ...tracking.excluded.map((weight) => [weight, inExcluded(weight)] as const),
      ...ofSteps.map((one) => [one.variable, one] as const),
      ...stepSizes.gradients.map(([weight, gradient]) => [gradient, inGradient(weight)] as const),
    ]);
  }

  *#named(bad: tf.Tensor, found: BadValue | StateTensor | undefined): Reading<BadValue> {
    if (found === undefined) return inWeight(bad as tf.Variable);
    if ('text' in found) return found;
    const { variable, weight, slots } = found;
    let row = 0;
    if (slots.length > 1) {
      const values = yield variable.clone(); // the reading disposes it
      const at = values.findIndex((value) => !Number.isFinite(value));
      row = Math.floor((at * slots.length) / values.length);
    }
    return inState(weight.name, slots[row] ?? '');
  }
}

function notAmong(due: readonly Tracked[], others: ReadonlyMap<tf.Tensor, unknown>): tf.Tensor[] {
  const isDue = new Set<tf.Tensor>(due.map(({ variable }) => variable));
  return [...others.keys()].filter((tensor) => !isDue.has(tensor));
}

/** None of an optimizer that does not list its state, or lists what nobody can tell apart. */
async function stateOf(inner: InnerOptimizer): Promise<readonly StateTensor[]> {
  if (!inner.supportsState) return [];
  try {
    return await inner.state();
  } catch (error) {
    if (error instanceof SlowlaneError && error.code === 'UNSUPPORTED_INNER') return [];
    throw error;
  }
}
