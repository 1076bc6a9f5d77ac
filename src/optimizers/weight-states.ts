/**
 * The slots and step counts of an optimizer, by variable and never by position, in the order in which
 * the weights were first seen. State restored from a file waits here for its weights (`matchSaved` says
 * which belong together: names change on reload).
 */
import * as tf from '@tensorflow/tfjs-core';
import { matchSaved } from '../snapshot/match-saved.js';
import type { InnerSlot } from './inner.js';
import type { NamedTensor } from '../snapshot/named-tensor.js';
import type { SlotSpec } from './update-rule.js';

export interface WeightState {
  readonly weight: tf.Variable;
  /** By the names of the rule, in its order. */
  readonly slots: ReadonlyMap<string, tf.Variable>;
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
  readonly #specs: readonly SlotSpec[];
  readonly #known = new Map<tf.Variable, WeightState>();
  #pending: PendingState[] = [];

  constructor(specs: readonly SlotSpec[]) {
    this.#specs = specs;
  }

  of(weight: tf.Variable): WeightState | undefined {
    return this.#known.get(weight);
  }

  /** Makes slots for the weights not seen yet, from restored state where some waits. */
  adopt(weights: Iterable<tf.Variable>): void {
    const unseen = [...new Set(weights)].filter((weight) => !this.#known.has(weight));
    if (unseen.length === 0) return;
    const restored = this.#match(this.#pending, unseen);
    this.#forgetDisposed();
    this.#pending = this.#pending.filter((state) => !restored.includes(state));
    for (const [i, weight] of unseen.entries()) {
      this.#known.set(weight, this.#begin(weight, restored[i]));
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
      this.#specs.forEach((spec, s) => {
        const tensor = from?.slots[s]?.tensor;
        const slot = state.slots.get(spec.name);
        if (tensor === undefined) fill(slot, spec.initial);
        else slot?.assign(tensor);
        tensor?.dispose();
      });
    }
    this.#pending = saved.filter((state) => !restored.includes(state));
  }

  /** As freshly made, those of `weights` or all; the slot variables stay the same. */
  reset(weights?: readonly tf.Variable[]): void {
    if (!weights) this.#dropPending();
    for (const state of this.#known.values()) {
      if (weights && !weights.includes(state.weight)) continue;
      state.steps = 0;
      for (const spec of this.#specs) fill(state.slots.get(spec.name), spec.initial);
    }
  }

  list(): InnerSlot[] {
    return [...this.#known.values()].flatMap(({ weight, slots }) =>
      this.#specs.flatMap(({ name, initial }) => {
        const variable = slots.get(name);
        return variable === undefined ? [] : [{ variable, weight, initial }];
      }),
    );
  }

  /** What a file keeps: the step counts, and the slots weight by weight (live, not copies). */
  snapshot(): { steps: number[]; slots: NamedTensor[] } {
    const known = [...this.#known.values()];
    const steps = [...known, ...this.#pending].map((state) => state.steps);
    const live = known.flatMap(({ weight, slots }) =>
      [...slots].map(([name, tensor]) => ({ name: `${weight.name}/${name}`, tensor })),
    );
    return { steps, slots: [...live, ...this.#pending.flatMap((state) => state.slots)] };
  }

  dispose(): void {
    this.#dropPending();
    for (const state of this.#known.values()) disposeSlots(state);
    this.#known.clear();
  }

  #begin(weight: tf.Variable, from: PendingState | undefined): WeightState {
    const slots = new Map<string, tf.Variable>();
    this.#specs.forEach(({ name, initial }, s) => {
      const label = unusedName(`${weight.name}/${name}`);
      const restored = from?.slots[s]?.tensor;
      const slot = tf.tidy(() =>
        tf.variable(restored ?? tf.fill(weight.shape, initial), false, label),
      );
      restored?.dispose();
      slots.set(name, slot);
    });
    return { weight, slots, steps: from?.steps ?? 0 };
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
      disposeSlots(state);
      this.#known.delete(weight);
    }
  }

  #dropPending(): void {
    for (const { slots } of this.#pending) for (const { tensor } of slots) tensor.dispose();
    this.#pending = [];
  }
}

function disposeSlots(state: WeightState): void {
  // A variable disposed twice would give back another tensor's share of its data.
  for (const slot of state.slots.values()) if (!slot.isDisposed) slot.dispose();
}

function fill(variable: tf.Variable | undefined, value: number): void {
  if (variable !== undefined) tf.tidy(() => variable.assign(tf.fill(variable.shape, value)));
}

/** Variables need names unique in the whole engine, but two optimizers may train one weight. */
function unusedName(name: string): string {
  const taken = tf.engine().registeredVariables;
  let unused = name;
  for (let n = 1; unused in taken; n++) unused = `${name}_${n}`;
  return unused;
}
