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
    const { inspected, state } = this.#beside(due, await stateOf(this.#inner));
    const bad = await this.#state.tracking.store.inspect(due, inspected);
    if (bad) return awaited(this.#named(bad, state));
    const found = await this.#inner.firstBadOnHost?.((weight) => this.#takesSteps(weight));
    return found ? inState(found.weight.name, found.slot) : null;
  }

  /** The same without waiting. State that has to be awaited, of classes that TensorFlow.js does not have, is left out. */
  firstAtOnce(due: readonly Tracked[]): BadValue | null {
    const all = this.#inner.supportsState ? this.#inner.state() : [];
    if (all instanceof Promise) all.catch(() => undefined);
    const { inspected, state } = this.#beside(due, all instanceof Promise ? [] : all);
    const bad = this.#state.tracking.store.atOnce?.inspect(due, inspected) ?? null;
    return bad && atOnce(this.#named(bad, state));
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

  #beside(due: readonly Tracked[], all: readonly StateTensor[]) {
    const state = all.filter(({ weight }) => this.#takesSteps(weight));
    const isDue = new Set(due.map(({ variable }) => variable)); // with innerState: 'interpolate'
    const gradients = this.#state.stepSizes.gradients.map(([, gradient]) => gradient);
    const others = state.map(({ variable }) => variable).filter((variable) => !isDue.has(variable));
    const { excluded } = this.#state.tracking;
    return { state, inspected: [...excluded, ...others, ...gradients] };
  }

  *#named(bad: tf.Tensor, state: readonly StateTensor[]): Reading<BadValue> {
    const gradient = this.#state.stepSizes.gradients.find(([, one]) => one === bad);
    if (gradient) return inGradient(gradient[0]);
    const found = state.find(({ variable }) => variable === bad);
    if (!found) {
      const isExcluded = this.#state.tracking.excluded.some((weight) => weight === bad);
      return isExcluded ? inExcluded(bad as tf.Variable) : inWeight(bad as tf.Variable);
    }
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
