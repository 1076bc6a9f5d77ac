// Slow values that were loaded and wait for the weights they belong to.

import type * as tf from '@tensorflow/tfjs-core';

import { assertShape, type SavedEntry } from '../../optimizers/state/match-saved.js';
import { type OwnerMap, Owners, othersOf } from '../../optimizers/state/owners.js';
import type { SavedSlow } from '../../snapshot/lookahead-state.js';

export interface RestoredOptions {
  /** Weights without slow values that tfjs counts together with those that have some. */
  readonly others?: readonly SavedEntry[];
  /** Of all weights of the model. Absent: names and order decide when weights are seen. */
  readonly known?: OwnerMap | undefined;
}

export class Restored {
  /** Those that no weight has claimed yet. */
  #waiting: readonly SavedSlow[];
  #owners: Owners;

  /** @throws SlowlaneError STATE_MISMATCH if a saved weight is not among those that are known, or has another shape. */
  constructor(saved: readonly SavedSlow[], options: RestoredOptions = {}) {
    this.#waiting = saved;
    this.#owners = new Owners(
      saved.filter(({ slot }) => slot === null),
      options,
    );
  }

  /** Under the names that their weights have now, if these are known. */
  get waiting(): readonly SavedSlow[] {
    return this.#waiting.map((saved) => {
      const owner = this.#owners.of(saved.name);
      return owner ? { ...saved, name: owner.name } : saved;
    });
  }

  /** The weights whose values wait; undefined: not known yet whose. */
  get owners(): readonly (tf.Variable | undefined)[] {
    return this.#waiting.map(({ name }) => this.#owners.of(name));
  }

  /** Finds the weights whose values wait among `weights`, which are all that there are. */
  meet(weights: readonly tf.Variable[], how: { readonly isWhole?: boolean } = {}): void {
    this.#owners.meet(weights, [], how);
  }

  /** Values of these weights' slot (null: of the weights themselves), where some wait. They wait until `forget`. */
  claim(weights: readonly tf.Variable[], slot: number | null): ReadonlyMap<tf.Variable, SavedSlow> {
    return this.#claim(weights, [], slot);
  }

  /**
   * Values of `fresh` weights. An excluded weight takes its values out of what waits: they would be saved
   * and restored again, long after the weight has left them behind.
   */
  claimBeside(
    fresh: readonly tf.Variable[],
    excluded: readonly tf.Variable[],
  ): ReadonlyMap<tf.Variable, SavedSlow> {
    const claimed = this.#claim(fresh, excluded, null);
    const given = new Set(excluded.map((weight) => this.#owners.nameOf(weight)));
    this.#waiting = this.#waiting.filter(({ name }) => !given.has(name));
    return claimed;
  }

  /** They were claimed, and are in the store. */
  forget(claimed: Iterable<SavedSlow>): void {
    const gone = new Set(claimed);
    this.#waiting = this.#waiting.filter((saved) => !gone.has(saved));
  }

  /** All of them: everything is captured again. */
  drop(): void {
    this.#waiting = [];
    this.#owners = new Owners([]);
  }

  /** The weights without slow values that a file has to know: `tracked` have some, `excluded` never get any. */
  others(tracked: readonly tf.Variable[], excluded: readonly tf.Variable[]): SavedEntry[] {
    const waiting = this.owners.filter((owner) => owner !== undefined);
    const have = new Set([...tracked, ...waiting]);
    const beside = [...othersOf([...have]), ...excluded].filter((weight) => !have.has(weight));
    const others = [...new Set(beside)].map(({ name, shape }): SavedEntry => ({ name, shape }));
    const isOpen = this.owners.includes(undefined);
    const names = new Set([...have, ...beside].map(({ name }) => name));
    const unmet = isOpen ? this.#owners.others.filter(({ name }) => !names.has(name)) : [];
    return [...others, ...unmet];
  }

  #claim(
    weights: readonly tf.Variable[],
    beside: readonly tf.Variable[],
    slot: number | null,
  ): ReadonlyMap<tf.Variable, SavedSlow> {
    if (this.#waiting.length === 0) return new Map();
    this.#owners.meet(weights, beside);
    return new Map(
      weights.flatMap((weight): [tf.Variable, SavedSlow][] => {
        const name = this.#owners.nameOf(weight);
        const saved = this.#waiting.find((one) => one.slot === slot && one.name === name);
        if (!saved) return [];
        assertShape(saved, weight);
        return [[weight, saved]];
      }),
    );
  }
}
