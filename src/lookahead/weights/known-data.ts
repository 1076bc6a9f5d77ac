// Which data each weight held after our last write, so that weights which others replaced are noticed.

import type * as tf from '@tensorflow/tfjs-core';

import { contentsOf, countWrite, stillHolds } from '../../engine/writes.js';
import type { Frozen } from './frozen.js';

/** What others did to a weight since our last write. */
export type Change =
  | 'none'
  /** It may have been loaded: before its first step, or while it was frozen. */
  | 'loaded'
  | 'replaced';

interface Known {
  /** Its data then, and how often we had written it in place or not. */
  dataId: object;
  writes: number;
  /** False from its capture to its first step: until then others may give it other values to begin with. */
  hasBegun: boolean;
  wasFrozen: boolean;
  /** True if it took a step since the last sync. */
  hasMoved: boolean;
  /** True if it missed its latest sync, because it was frozen, although it had taken steps. */
  hasMissed: boolean;
}

export class KnownData {
  readonly #known = new WeakMap<tf.Variable, Known>();
  readonly #frozen: Frozen;

  constructor(frozen: Frozen) {
    this.#frozen = frozen;
  }

  /** `weight` is tracked from now on. Restored: with slow values of a file, in the middle of its training. */
  begin(weight: tf.Variable, { isRestored }: { isRestored: boolean }): void {
    this.#known.set(weight, {
      ...contentsOf(weight),
      hasBegun: isRestored,
      wasFrozen: this.#frozen.has(weight),
      hasMoved: isRestored,
      hasMissed: false,
    });
  }

  /** `weight` goes on as `other` has known it. */
  goOn(weight: tf.Variable, other: KnownData): void {
    const known = other.#known.get(weight);
    if (known) this.#known.set(weight, { ...known });
  }

  /** `weight` is about to take a step. */
  stepping(weight: tf.Variable): void {
    const known = this.#known.get(weight);
    if (!known) return;
    known.hasBegun = true;
    known.hasMoved = true;
  }

  /** True if `weight` took steps in this cycle and in one before it, and would miss a second sync in a row. */
  standsStill(weight: tf.Variable): boolean {
    const known = this.#known.get(weight);
    return known !== undefined && known.hasMoved && known.hasMissed;
  }

  /** A sync is over. */
  syncPassed(weight: tf.Variable, tookPart: boolean): void {
    const known = this.#known.get(weight);
    if (!known) return;
    if (tookPart) known.hasMissed = false;
    else if (known.hasMoved) known.hasMissed = true;
    known.hasMoved = false;
  }

  /** We have written `weight`, or may have. */
  wrote(weight: tf.Variable): void {
    countWrite(weight);
    this.learn(weight);
  }

  /** What `weight` holds now is what it should hold. */
  learn(weight: tf.Variable): void {
    const known = this.#known.get(weight);
    if (!known) return;
    Object.assign(known, contentsOf(weight));
    known.wasFrozen = this.#frozen.has(weight);
  }

  /** Looks at `weight`, and remembers whether it is frozen now: a freeze between two looks is not seen. */
  look(weight: tf.Variable): Change {
    const known = this.#known.get(weight);
    if (!known) return 'none';
    const { wasFrozen, hasBegun } = known;
    known.wasFrozen = this.#frozen.has(weight);
    if (known.wasFrozen || this.isAsLeft(weight)) return 'none';
    if (!hasBegun || wasFrozen) {
      known.wasFrozen = wasFrozen; // until `learn`
      return 'loaded';
    }
    return 'replaced';
  }

  /** True if `weight` holds what we left in it. */
  isAsLeft(weight: tf.Variable): boolean {
    const known = this.#known.get(weight);
    return known === undefined || stillHolds(weight, known);
  }
}
