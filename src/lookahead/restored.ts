// Slow values that were loaded and wait for the weights they belong to.

import type * as tf from '@tensorflow/tfjs-core';

import { matchSaved } from '../optimizers/state/match-saved.js';
import type { SavedSlow } from '../snapshot/lookahead-state.js';

export class Restored {
  /** Those that no weight has claimed yet. */
  #waiting: readonly SavedSlow[];

  constructor(saved: readonly SavedSlow[]) {
    this.#waiting = saved;
  }

  get waiting(): readonly SavedSlow[] {
    return this.#waiting;
  }

  /** Values of these weights' slot (null: of the weights themselves), where some wait. They wait until `forget`. */
  claim(weights: readonly tf.Variable[], slot: number | null): ReadonlyMap<tf.Variable, SavedSlow> {
    const waiting = this.#waiting.filter((saved) => saved.slot === slot);
    const matched = matchSaved(waiting, weights);
    return new Map(
      weights.flatMap((weight, i): [tf.Variable, SavedSlow][] => {
        const saved = matched[i];
        return saved ? [[weight, saved]] : [];
      }),
    );
  }

  /**
   * Values of `fresh` weights. An excluded weight takes its values out of what waits: they would be saved
   * and restored again, long after the weight has left them behind.
   */
  claimBeside(
    fresh: readonly tf.Variable[],
    excluded: readonly tf.Variable[],
  ): ReadonlyMap<tf.Variable, SavedSlow> {
    if (excluded.length === 0 || this.#waiting.length === 0) return this.claim(fresh, null);
    let claimed;
    try {
      claimed = new Map(this.claim([...fresh, ...excluded], null));
    } catch {
      return this.claim(fresh, null); // weights without names that were excluded when they were saved
    }
    for (const weight of excluded) {
      const name = claimed.get(weight)?.name;
      this.#waiting = this.#waiting.filter((saved) => saved.name !== name);
      claimed.delete(weight);
    }
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
  }
}
