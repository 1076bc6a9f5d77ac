// Which data each weight held after our last write, so that weights which others replaced are noticed.

import type * as tf from '@tensorflow/tfjs-core';

import { countWrite, writesTo } from '../engine/writes.js';

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
  /** `captured` and `restored`: it took no step yet. The slow values of a restored weight come from a file. */
  stage: 'captured' | 'restored' | 'stepped';
  wasFrozen: boolean;
  /** True if it took a step since the last sync. */
  hasMoved: boolean;
  /** True if it missed its latest sync, because it was frozen, although it had taken steps. */
  hasMissed: boolean;
}

export class KnownData {
  readonly #known = new WeakMap<tf.Variable, Known>();
  /** Weights that a model does not train, although the variables themselves say they are trainable. */
  #frozenByModel: ReadonlySet<tf.Variable> = new Set();

  /** `weight` is tracked from now on. */
  begin(weight: tf.Variable, stage: 'captured' | 'restored'): void {
    this.#known.set(weight, {
      ...contentsOf(weight),
      stage,
      wasFrozen: false,
      hasMoved: false,
      hasMissed: false,
    });
  }

  /** `weight` is about to take a step. */
  stepping(weight: tf.Variable): void {
    const known = this.#known.get(weight);
    if (!known) return;
    known.stage = 'stepped';
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
    known.wasFrozen = this.isFrozen(weight);
  }

  /** What `weight` holds now becomes its slow value. */
  captured(weight: tf.Variable): void {
    this.learn(weight);
    const known = this.#known.get(weight);
    if (known?.stage === 'restored') known.stage = 'captured';
  }

  /** Looks at `weight`, and remembers whether it is frozen now: a freeze between two looks is not seen. */
  look(weight: tf.Variable): Change {
    const known = this.#known.get(weight);
    if (!known) return 'none';
    const { wasFrozen, stage } = known;
    known.wasFrozen = this.isFrozen(weight);
    if (known.wasFrozen) return 'none';
    if (this.isAsLeft(weight) || stage === 'restored') return 'none';
    if (stage === 'captured' || wasFrozen) {
      known.wasFrozen = wasFrozen; // until `learn`
      return 'loaded';
    }
    return 'replaced';
  }

  /** True if `weight` holds what we left in it. */
  isAsLeft(weight: tf.Variable): boolean {
    const known = this.#known.get(weight);
    if (!known) return true;
    const { dataId, writes } = contentsOf(weight);
    return known.dataId === dataId && known.writes === writes;
  }

  /** Frozen weights are not moved. */
  isFrozen(weight: tf.Variable): boolean {
    return !weight.trainable || this.#frozenByModel.has(weight);
  }

  /**
   * Of a model's weights, `trained` are trained. TensorFlow.js does not always tell the variables that their layer is
   * frozen: not in a model inside a model inside a model, and `compile` of a Sequential marks all as trainable again.
   */
  freezeOthers(all: readonly tf.Variable[], trained: readonly tf.Variable[]): void {
    const kept = new Set(trained);
    const isHidden = (weight: tf.Variable) => weight.trainable && !kept.has(weight);
    const other = new Set(all);
    const before = [...this.#frozenByModel].filter((weight) => !other.has(weight));
    this.#frozenByModel = new Set([...before, ...all.filter(isHidden)]);
  }
}

function contentsOf(weight: tf.Variable): { dataId: object; writes: number } {
  return { dataId: weight.dataId, writes: writesTo(weight) };
}
