// Weights whose first slow values (θ₀) are not in the store yet, and where these are until then.

import * as tf from '@tensorflow/tfjs-core';

import { shareOnPurpose } from '../../engine/shared-data.js';
import { isGone } from '../../tfjs/variables.js';
import { currentDevice } from '../../engines/current-device.js';
import { atOnce, nonFiniteIn } from '../../engines/finite.js';
import type { SlowStore, Storable } from '../../slow/slow-store.js';

/** A weight that holds a NaN or an infinity where it was to become a slow weight. */
export interface RefusedCapture {
  readonly variable: tf.Variable;
  /** True if it has no slow values to go back to. */
  readonly isFirst: boolean;
}

export class Captures<W extends Storable> {
  readonly #store: SlowStore<W>;
  /** The variable itself, or a handle on the data that it had before an update. */
  readonly #sources = new Map<tf.Variable, tf.Tensor>();
  /** The store has taken weights, and `run` was not called since. */
  #hasTaken = false;
  /** Those that have no slow values yet. */
  readonly #fresh = new Set<tf.Variable>();
  /** Those that held a NaN or an infinity when they were to be captured. */
  readonly #refused = new Set<tf.Variable>();

  constructor(store: SlowStore<W>) {
    this.#store = store;
  }

  /** True if `run` is needed. */
  get areDue(): boolean {
    return this.#sources.size > 0 || this.#hasTaken || this.#refused.size > 0;
  }

  /** True if the store has no values of `variable` yet, or is to get others. */
  isDue(variable: tf.Variable): boolean {
    return (
      this.#sources.has(variable) || (this.#refused.has(variable) && this.#fresh.has(variable))
    );
  }

  /** `variable` is new, and has to be captured. */
  begin(variable: tf.Variable): void {
    this.#fresh.add(variable);
    this.add(variable);
  }

  /** `variable` has to be captured as it is now, instead of what waits. */
  add(variable: tf.Variable): void {
    this.#refused.delete(variable);
    const before = this.#sources.get(variable);
    this.#sources.set(variable, variable);
    if (before !== variable) before?.dispose();
  }

  /**
   * `items` are about to be updated, and we cannot wait: the store takes those that are not captured yet. Where it cannot,
   * second handles keep the old data until `run`, and with it the memory.
   *
   * @returns one that holds a NaN or an infinity, as far as that can be seen now: then nothing is taken.
   */
  take(items: readonly W[], round: number): RefusedCapture | null {
    for (const { variable } of items) if (this.#refused.has(variable)) return this.#named(variable);
    const due = items.filter(({ variable }) => this.#sources.get(variable) === variable);
    if (due.length === 0) return null;
    if (currentDevice().pullsAtOnce === true) {
      const bad = atOnce(nonFiniteIn(due.map(({ variable }) => variable)));
      if (bad) return this.#named(bad);
    }
    const left = new Set(this.#store.take(due, round));
    for (const { variable } of due.filter((item) => !left.has(item))) {
      this.#hasTaken = true;
      this.#sources.delete(variable);
    }
    for (const { variable } of left) {
      this.#sources.set(variable, shareOnPurpose(tf.keep(variable.clone())));
    }
    return null;
  }

  /**
   * Brings θ₀ into the store. May be called again after it failed.
   *
   * @returns one that holds a NaN or an infinity instead. It keeps the slow values that it has, if any, and is returned again,
   * until it is captured anew or given up.
   */
  async run(round: number): Promise<RefusedCapture | null> {
    const bad = await this.#store.capture(this.#sources, round);
    const refused = [...this.#refused, ...bad].filter((variable) => !isGone(variable));
    const fresh = refused.filter((variable) => this.#fresh.has(variable));
    this.drop();
    for (const variable of fresh) this.#fresh.add(variable);
    for (const variable of refused) this.#refused.add(variable);
    const [first] = refused;
    return first ? this.#named(first) : null;
  }

  /** What could not be captured keeps the slow values that it has. Returns one that has none: then nothing is given up. */
  giveUp(): RefusedCapture | null {
    for (const variable of this.#refused) {
      if (this.#fresh.has(variable)) return this.#named(variable);
    }
    this.#refused.clear();
    return null;
  }

  /** Nothing has to be captured any more. */
  drop(): void {
    this.#fresh.clear();
    this.#refused.clear();
    this.#hasTaken = false;
    for (const [variable, source] of this.#sources) if (source !== variable) source.dispose();
    this.#sources.clear();
  }

  #named(variable: tf.Variable): RefusedCapture {
    return { variable, isFirst: this.#fresh.has(variable) };
  }
}
