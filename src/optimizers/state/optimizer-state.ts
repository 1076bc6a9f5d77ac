/**
 * The state of an optimizer: that of each weight, by variable and never by position, in the order in which the
 * weights were first seen. Restored state waits here for its weights; `matchSaved` finds which belong together,
 * because names change on reload.
 */
import * as tf from '@tensorflow/tfjs-core';
import { makeOffloadedState } from '../../engine/engine.js';
import type { OffloadedState } from '../../engine/offloaded-state.js';
import type { StateSpec } from '../../formula/update-rule.js';
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import { isGone } from '../../tfjs/variables.js';
import type { StateTensor } from '../inner-optimizer.js';
import { type MomentPolicy, stateStorage } from '../step-options.js';
import { matchSaved } from './match-saved.js';
import { WeightState } from './weight-state.js';

/** The state of a weight that was not seen yet. */
export interface PendingState {
  /** The name its weight had, and its shape. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly steps: number;
  /** In the order of the rule; ours. */
  readonly tensors: readonly NamedTensor[];
}

export class OptimizerState {
  readonly #specs: readonly StateSpec[];
  readonly #policy: { momentsOf(weight: tf.Variable): MomentPolicy };
  readonly #known = new Map<tf.Variable, WeightState>();
  #pending: PendingState[] = [];
  /** undefined: not needed yet. null: all memory of this backend is host memory. */
  #host: OffloadedState | null | undefined;

  /** `policy` is asked when a weight is first seen. */
  constructor(
    specs: readonly StateSpec[],
    policy: { momentsOf(weight: tf.Variable): MomentPolicy },
  ) {
    this.#specs = specs;
    this.#policy = policy;
  }

  /** True as long as no weight was seen. */
  get isEmpty(): boolean {
    return this.#known.size === 0;
  }

  /** The weights seen so far. */
  get weights(): readonly tf.Variable[] {
    return [...this.#known.keys()];
  }

  of(weight: tf.Variable): WeightState | undefined {
    return this.#known.get(weight);
  }

  /** True if moments are on their way back to the host: until `flush`, nothing else is possible. */
  get isPending(): boolean {
    return this.#host?.isPending === true;
  }

  /** Also if the step failed. */
  endStep(): void {
    for (const state of this.#known.values()) state.release();
    this.#host?.startDownloads();
  }

  /** Resolves when nothing is away; rejects once if the device failed. */
  async flush(): Promise<void> {
    await this.#host?.flush();
  }

  /** False if a value that `list` does not reach is a NaN or an infinity. */
  get isFiniteOnHost(): boolean {
    return [...this.#known.values()].every((state) => state.isFiniteOnHost);
  }

  /** Makes the state of weights not seen yet, from restored state if some waits for them. */
  adopt(weights: Iterable<tf.Variable>): void {
    const unseen = [...new Set(weights)].filter((weight) => !this.#known.has(weight));
    if (unseen.length === 0) return;
    const restored = this.#match(this.#pending, unseen);
    this.#forgetDisposed();
    for (const [i, weight] of unseen.entries()) {
      this.#known.set(weight, this.#begin(weight, restored[i]));
      // Only now: if there was no memory, the next try finds the restored state again.
      this.#pending = this.#pending.filter((state) => state !== restored[i]);
    }
  }

  /** Replaces all state; what no weight seen so far claims waits. Owns `saved` unless it throws. */
  restore(saved: readonly PendingState[]): void {
    this.#forgetDisposed();
    const known = [...this.#known.values()];
    const restored = this.#match(
      saved,
      known.map(({ weight }) => weight),
    );
    this.#dropPending();
    for (const [i, state] of known.entries()) {
      const from = restored[i];
      state.steps = from?.steps ?? 0;
      const tensors = from?.tensors.map(({ tensor }) => tensor);
      state.write(tensors);
      tf.dispose(tensors ?? []);
    }
    this.#pending = saved.filter((state) => !restored.includes(state));
  }

  /** Makes the state of `weights` (default: all) fresh; the variables stay the same. */
  reset(weights?: readonly tf.Variable[]): void {
    if (!weights) this.#dropPending();
    this.#forgetDisposed();
    for (const state of this.#known.values()) {
      if (weights && !weights.includes(state.weight)) continue;
      state.steps = 0;
      state.write();
    }
  }

  list(): StateTensor[] {
    this.#forgetDisposed();
    return [...this.#known.values()].flatMap((state) => state.list());
  }

  /**
   * What a file keeps: the step counts, and the tensors weight by weight in float32, as live variables or host
   * tensors. Live variables change with the next step.
   */
  async snapshot(): Promise<{ steps: number[]; tensors: NamedTensor[] }> {
    this.#forgetDisposed();
    const known = [...this.#known.values()];
    const pending = [...this.#pending];
    const steps = [...known, ...pending].map((state) => state.steps);
    const held = known.map((state) => state.hold());
    const saved: NamedTensor[] = [];
    try {
      // One after the other: reading takes staging memory on the device.
      for (const each of held) saved.push(...(await each.read()));
    } finally {
      for (const each of held) each.dispose();
    }
    return { steps, tensors: [...saved, ...pending.flatMap(({ tensors }) => tensors)] };
  }

  dispose(): void {
    this.#dropPending();
    this.endStep(); // buffers that recorded commands name must not be destroyed before
    this.#host?.dispose();
    for (const state of this.#known.values()) state.dispose();
    this.#known.clear();
  }

  #begin(weight: tf.Variable, from: PendingState | undefined): WeightState {
    const elements = this.#specs.length === 0 ? 0 : weight.size;
    const storage = stateStorage(this.#policy.momentsOf(weight), elements);
    const host = storage.isOnHost ? (this.#host ??= makeOffloadedState()) : null;
    const tensors = from?.tensors.map(({ tensor }) => tensor);
    const state = new WeightState(weight, this.#specs, { storage, host }, tensors);
    state.steps = from?.steps ?? 0;
    tf.dispose(tensors ?? []);
    return state;
  }

  /** For each weight its saved state. A rule without state has nothing to match. */
  #match(
    saved: readonly PendingState[],
    weights: readonly tf.Variable[],
  ): readonly (PendingState | undefined)[] {
    if (this.#specs.length === 0) return saved.slice(0, weights.length);
    return matchSaved(saved, weights);
  }

  /** Disposed weights take their state with them. */
  #forgetDisposed(): void {
    for (const [weight, state] of this.#known) {
      if (!isGone(weight)) continue;
      state.dispose();
      this.#known.delete(weight);
    }
  }

  #dropPending(): void {
    tf.dispose(this.#pending.flatMap(({ tensors }) => tensors.map(({ tensor }) => tensor)));
    this.#pending = [];
  }
}
