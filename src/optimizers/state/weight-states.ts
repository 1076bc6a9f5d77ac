/**
 * The slots and step counts of an optimizer, by variable and never by position, in the order in which
 * the weights were first seen. State restored from a file waits here for its weights (`matchSaved` says
 * which belong together: names change on reload).
 */
import * as tf from '@tensorflow/tfjs-core';
import { matchSaved } from './match-saved.js';
import { DeviceSlots } from './device-slots.js';
import { HostSlots } from './host-slots.js';
import type { StateTensor } from '../inner.js';
import { makeOffloadedState } from '../../engine/engine.js';
import type { OffloadedState } from '../../engine/offloaded-state.js';
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import { type MomentPolicy, slotStorage } from '../step-options.js';
import type { StateSpec } from '../../formula/update-rule.js';
import type { WeightSlots } from './weight-slots.js';

export interface WeightState {
  readonly weight: tf.Variable;
  readonly slots: WeightSlots;
  /** Steps this weight has taken, for its bias corrections. */
  steps: number;
}

/** The state of a weight that was not seen yet. */
export interface PendingState {
  /** The name its weight had, and its shape. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly steps: number;
  /** One tensor a slot, in the order of the rule; ours. */
  readonly slots: readonly NamedTensor[];
}

export class WeightStates {
  readonly #specs: readonly StateSpec[];
  readonly #policy: { readonly moments: MomentPolicy };
  readonly #known = new Map<tf.Variable, WeightState>();
  #pending: PendingState[] = [];
  /** Undefined: not asked yet. Null: moments stay on the device. */
  #home: OffloadedState | null | undefined;

  /** `policy` is asked when a weight is first seen. */
  constructor(specs: readonly StateSpec[], policy: { readonly moments: MomentPolicy }) {
    this.#specs = specs;
    this.#policy = policy;
  }

  /** True as long as no weight was seen. */
  get isEmpty(): boolean {
    return this.#known.size === 0;
  }

  of(weight: tf.Variable): WeightState | undefined {
    return this.#known.get(weight);
  }

  /** True if moments are on their way back to the host: until `flush`, nothing else is possible. */
  get isPending(): boolean {
    return this.#home?.isPending === true;
  }

  /** At the end of a step, however it ended. */
  turn(): void {
    for (const { slots } of this.#known.values()) if (slots instanceof HostSlots) slots.takeBack();
    this.#home?.turn();
  }

  /** Resolves when nothing is away; rejects once if the device failed. */
  async flush(): Promise<void> {
    await this.#home?.flush();
  }

  /** False if a slot that `list` does not reach has a NaN or an infinity. */
  get isFinite(): boolean {
    return [...this.#known.values()].every(
      ({ slots }) => !(slots instanceof HostSlots) || slots.isFinite(),
    );
  }

  /** Makes slots for the weights not seen yet, from restored state where some waits. */
  adopt(weights: Iterable<tf.Variable>): void {
    const unseen = [...new Set(weights)].filter((weight) => !this.#known.has(weight));
    if (unseen.length === 0) return;
    const restored = this.#match(this.#pending, unseen);
    this.#forgetDisposed();
    for (const [i, weight] of unseen.entries()) {
      this.#known.set(weight, this.#begin(weight, restored[i]));
      // Only now: if there was no memory for its slots, the next try finds it again.
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
      const tensors = from?.slots.map(({ tensor }) => tensor);
      state.slots.write(tensors);
      tf.dispose(tensors ?? []);
    }
    this.#pending = saved.filter((state) => !restored.includes(state));
  }

  /** As freshly made, those of `weights` or all; the slot variables stay the same. */
  reset(weights?: readonly tf.Variable[]): void {
    if (!weights) this.#dropPending();
    for (const state of this.#known.values()) {
      if (weights && !weights.includes(state.weight)) continue;
      state.steps = 0;
      state.slots.write();
    }
  }

  list(): StateTensor[] {
    return [...this.#known.values()].flatMap(({ slots }) => slots.list());
  }

  /**
   * What a file keeps: the step counts, and the slots weight by weight in float32, live ones or host
   * tensors. Of the moment of the call, but live slots change with the next step.
   */
  async snapshot(): Promise<{ steps: number[]; slots: NamedTensor[] }> {
    const known = [...this.#known.values()];
    const pending = [...this.#pending];
    const steps = [...known, ...pending].map((state) => state.steps);
    const held = known.map(({ slots }) => slots.hold());
    const saved: NamedTensor[] = [];
    try {
      // One after the other: reading takes staging memory on the device.
      for (const each of held) saved.push(...(await each.read()));
    } finally {
      for (const each of held) each.dispose();
    }
    return { steps, slots: [...saved, ...pending.flatMap((state) => state.slots)] };
  }

  dispose(): void {
    this.#dropPending();
    this.turn(); // buffers that recorded commands name must not be destroyed before
    this.#home?.dispose();
    for (const { slots } of this.#known.values()) slots.dispose();
    this.#known.clear();
  }

  #begin(weight: tf.Variable, from: PendingState | undefined): WeightState {
    const tensors = from?.slots.map(({ tensor }) => tensor);
    const slots = this.#slotsOf(weight, tensors);
    tf.dispose(tensors ?? []);
    return { weight, slots, steps: from?.steps ?? 0 };
  }

  #slotsOf(weight: tf.Variable, from: readonly tf.Tensor[] | undefined): WeightSlots {
    const specs = this.#specs;
    const { moments } = this.#policy;
    const { isQuantized, isOnHost } = slotStorage(moments, specs.length === 0 ? 0 : weight.size);
    const home = isOnHost ? (this.#home ??= makeOffloadedState()) : null;
    if (home === null) return new DeviceSlots(weight, specs, isQuantized, from);
    return new HostSlots(weight, specs, isQuantized, home, from);
  }

  /** For each weight its saved state; throws STATE_MISMATCH. Without slots there is nothing to match. */
  #match(
    saved: readonly PendingState[],
    weights: readonly tf.Variable[],
  ): readonly (PendingState | undefined)[] {
    if (this.#specs.length === 0) return saved.slice(0, weights.length);
    return matchSaved(saved, weights);
  }

  /** Weights that are gone take their slots with them. */
  #forgetDisposed(): void {
    for (const [weight, state] of this.#known) {
      if (!weight.isDisposed) continue;
      state.slots.dispose();
      this.#known.delete(weight);
    }
  }

  #dropPending(): void {
    for (const { slots } of this.#pending) for (const { tensor } of slots) tensor.dispose();
    this.#pending = [];
  }
}
