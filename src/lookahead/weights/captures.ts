// Weights whose first slow values (θ₀) are not in the store yet, and where these are until then.

import * as tf from '@tensorflow/tfjs-core';

import { shareOnPurpose } from '../../engine/shared-data.js';
import type { SlowStore, Storable } from '../../slow/slow-store.js';

export class Captures<W extends Storable> {
  readonly #store: SlowStore<W>;
  /** The variable itself, or a handle on the data that it had before an update. */
  readonly #sources = new Map<tf.Variable, tf.Tensor>();
  /** The store has taken weights, and `run` was not called since. */
  #hasTaken = false;

  constructor(store: SlowStore<W>) {
    this.#store = store;
  }

  /** True if `run` is needed. */
  get areDue(): boolean {
    return this.#sources.size > 0 || this.#hasTaken;
  }

  /** True if the store has no values of `variable` yet, or is to get others. */
  isDue(variable: tf.Variable): boolean {
    return this.#sources.has(variable);
  }

  /** `variable` has to be captured as it is now, instead of what waits. */
  add(variable: tf.Variable): void {
    const before = this.#sources.get(variable);
    this.#sources.set(variable, variable);
    if (before !== variable) before?.dispose();
  }

  /**
   * `items` are about to be updated, and we cannot wait: the store takes those that are not captured yet. Where it cannot,
   * second handles keep the old data until `run`, and with it the memory.
   */
  take(items: readonly W[], round: number): void {
    const due = items.filter(({ variable }) => this.#sources.get(variable) === variable);
    if (due.length === 0) return;
    const left = new Set(this.#store.take(due, round));
    for (const { variable } of due.filter((item) => !left.has(item))) {
      this.#hasTaken = true;
      this.#sources.delete(variable);
    }
    for (const { variable } of left) {
      this.#sources.set(variable, shareOnPurpose(tf.keep(variable.clone())));
    }
  }

  /** Brings θ₀ into the store. May be called again after it failed. */
  async run(round: number): Promise<void> {
    await this.#store.capture(this.#sources, round);
    this.drop();
  }

  /** Nothing has to be captured any more. */
  drop(): void {
    this.#hasTaken = false;
    for (const [variable, source] of this.#sources) if (source !== variable) source.dispose();
    this.#sources.clear();
  }
}
