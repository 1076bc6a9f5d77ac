/**
 * The state of an optimizer: that of each weight, by variable and never by position, in the order in which the
 * weights were first seen. Restored state waits here until it is known whose it is; `Owners` finds which belong
 * together, because names change on reload. From then on it counts as state of its weight, before the next step too.
 */
import * as tf from '@tensorflow/tfjs-core';
import { makeOffloadedState } from '../../engine/engine.js';
import { offloadPending, type OffloadedState } from '../../engine/offloaded-state.js';
import { UsedDevices } from '../../engine/used-devices.js';
import type { StateSpec } from '../../formula/update-rule.js';
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import { isGone } from '../../tfjs/variables.js';
import type { BadState, StateTensor } from '../inner-optimizer.js';
import { type MomentPolicy, stateStorage } from '../step-options.js';
import type { SavedEntry } from './match-saved.js';
import { type OwnerMap, Owners, assertAmong, othersOf } from './owners.js';
import { type Replacement, together } from './replacement.js';
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

/** The state of all weights, as it was saved. */
export interface SavedWeights {
  readonly weights: readonly PendingState[];
  /** Weights without state that tfjs counts together with them. */
  readonly others: readonly SavedEntry[];
}

const NO_OWNERS = new Owners([]);

export class OptimizerState {
  readonly #specs: readonly StateSpec[];
  readonly #policy: { momentsOf(weight: tf.Variable): MomentPolicy };
  readonly #known = new Map<tf.Variable, WeightState>();
  #pending: readonly PendingState[] = [];
  /** Whose `#pending` is. */
  #owners = NO_OWNERS;
  /** undefined: not needed yet. null: all memory of this backend is host memory. */
  #host: OffloadedState | null | undefined;
  readonly #devices = new UsedDevices();

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
    this.#claim();
    return this.#known.get(weight);
  }

  /** True if moments are on their way back to the host: until `flush`, nothing else is possible. */
  get isPending(): boolean {
    return this.#host?.isPending === true;
  }

  /** @throws SlowlaneError DEVICE_LOST if the device is gone on which weights were seen. */
  throwIfLost(): void {
    this.#devices.throwIfLost();
  }

  /** @throws SlowlaneError DEVICE_LOST, or OFFLOAD_PENDING while moments are away. */
  assertHere(call: string): void {
    this.throwIfLost();
    if (this.isPending) throw offloadPending(call, 'flush()');
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

  /** Of what is kept on the host, and so not in `list`. Lets the event loop run; nothing may be away. */
  async firstBadOnHost(isMeant: (weight: tf.Variable) => boolean): Promise<BadState | null> {
    this.#forgetDisposed();
    this.#claim();
    for (const [weight, state] of this.#known) {
      if (!isMeant(weight) || isGone(weight)) continue;
      const slot = await state.badSlotOnHost();
      if (slot !== null) return { weight, slot };
    }
    return null;
  }

  /** Weights that restored state may wait for; `isWhole`: all of a model. Makes no state for the others. */
  meet(weights: readonly tf.Variable[], { isWhole }: { readonly isWhole: boolean }): void {
    this.#owners.meet(weights, [], { isWhole });
  }

  /** Makes the state of weights not seen yet, from restored state if some waits for them. */
  adopt(weights: Iterable<tf.Variable>): void {
    const unseen = [...new Set(weights)].filter((weight) => !this.#known.has(weight));
    if (unseen.length === 0) return;
    if (this.#specs.length > 0) this.#owners.meet(unseen);
    this.#forgetDisposed();
    for (const weight of unseen) {
      const from = pendingOf(weight, this.#pending, this.#owners);
      this.#known.set(weight, this.#begin(weight, from));
      // Only now: if there was no memory, the next try finds the restored state again.
      this.#pending = this.#pending.filter((state) => state !== from);
    }
  }

  /**
   * Makes ready to replace all state; what no weight seen so far claims will wait. Owns the tensors of `saved`.
   *
   * @param arrived Moments that are away are back on the host.
   * @param known Of all saved weights; else names and order decide when weights are seen.
   * @throws SlowlaneError STATE_MISMATCH if it does not fit. Then nothing has changed.
   */
  async replace(
    saved: SavedWeights,
    known: OwnerMap | undefined,
    arrived: () => Promise<void>,
  ): Promise<Replacement> {
    try {
      await arrived();
      return this.#replacement(saved, known);
    } catch (cause) {
      disposeAll(saved.weights);
      throw cause;
    }
  }

  /** @throws SlowlaneError STATE_MISMATCH unless all state is of `weights`. */
  assertWithin(weights: readonly tf.Variable[]): void {
    this.#forgetDisposed();
    if (this.#specs.length === 0) return;
    this.#owners.meet(weights);
    const owners = this.#pending.map(({ name }) => this.#owners.of(name));
    assertAmong([...this.#known.keys(), ...owners], weights);
  }

  /** Drops the state of `weights`, as if they had never been seen, and frees it. */
  forget(weights: readonly tf.Variable[]): void {
    this.#owners.meet(weights);
    for (const weight of weights) {
      this.#known.get(weight)?.dispose();
      this.#known.delete(weight);
      const waiting = pendingOf(weight, this.#pending, this.#owners);
      tf.dispose(tensorsOf(waiting) ?? []);
      this.#pending = this.#pending.filter((state) => state !== waiting);
    }
  }

  /** Makes the state of `weights` (default: all) fresh; the variables stay the same. */
  reset(weights?: readonly tf.Variable[]): void {
    if (!weights) this.#dropPending();
    this.#forgetDisposed();
    this.#claim();
    for (const state of this.#known.values()) {
      if (weights && !weights.includes(state.weight)) continue;
      state.steps = 0;
      state.reset();
    }
  }

  list(): StateTensor[] {
    this.#forgetDisposed();
    this.#claim();
    return [...this.#known.values()].flatMap((state) => state.list());
  }

  /**
   * What a file keeps: the step counts, the tensors weight by weight in float32, as live variables or host tensors,
   * and the names of the weights that tfjs counts together with these. Live variables change with the next step.
   */
  async snapshot(): Promise<{ steps: number[]; tensors: NamedTensor[]; others: SavedEntry[] }> {
    this.#forgetDisposed();
    const known = [...this.#known.values()];
    const pending = [...this.#pending];
    const steps = [...known, ...pending].map((state) => state.steps);
    const others = this.#others();
    const held = known.map((state) => state.hold());
    const saved: NamedTensor[] = [];
    try {
      // One after the other: reading takes staging memory on the device.
      for (const each of held) saved.push(...(await each.read()));
    } finally {
      for (const each of held) each.dispose();
    }
    const waiting = pending.flatMap(({ name, tensors }) => {
      const now = this.#owners.of(name)?.name ?? name;
      return tensors.map((each) => ({
        name: `${now}${each.name.slice(each.name.lastIndexOf('/'))}`,
        tensor: each.tensor,
      }));
    });
    return { steps, tensors: [...saved, ...waiting], others };
  }

  dispose(): void {
    this.#dropPending();
    this.endStep(); // buffers that recorded commands name must not be destroyed before
    this.#host?.dispose();
    for (const state of this.#known.values()) state.dispose();
    this.#known.clear();
  }

  #replacement({ weights, others }: SavedWeights, known: OwnerMap | undefined): Replacement {
    this.#forgetDisposed();
    const isStateless = this.#specs.length === 0;
    const owners = new Owners(isStateless ? [] : weights, { others, known });
    const seen = [...this.#known.values()];
    owners.meet(seen.map(({ weight }) => weight));
    const found = seen.map(({ weight }) => pendingOf(weight, weights, owners));
    const made: Replacement[] = [];
    const values = together(made);
    try {
      for (const [i, state] of seen.entries()) made.push(state.replace(tensorsOf(found[i])));
    } catch (cause) {
      values.dispose();
      throw cause;
    }
    return {
      commit: () => {
        this.#dropPending();
        values.commit();
        for (const [i, state] of seen.entries()) state.steps = found[i]?.steps ?? 0;
        const claimed = weights.filter((state) => found.includes(state));
        disposeAll(claimed);
        this.#pending = isStateless ? [] : weights.filter((state) => !claimed.includes(state));
        this.#owners = owners;
        this.#devices.startOver();
      },
      dispose: () => {
        values.dispose();
        disposeAll(weights);
      },
    };
  }

  /** Restored state is state of its weight as soon as that is known, before the next step too. */
  #claim(): void {
    for (const from of this.#pending) {
      const weight = this.#owners.of(from.name);
      if (!weight || isGone(weight)) continue;
      this.#known.set(weight, this.#begin(weight, from));
      this.#pending = this.#pending.filter((state) => state !== from);
    }
  }

  #begin(weight: tf.Variable, from: PendingState | undefined): WeightState {
    this.#devices.note();
    const elements = this.#specs.length === 0 ? 0 : weight.size;
    const storage = stateStorage(this.#policy.momentsOf(weight), elements);
    const host = storage.isOnHost ? (this.#host ??= makeOffloadedState()) : null;
    const tensors = tensorsOf(from);
    const state = new WeightState(weight, this.#specs, { storage, host }, tensors);
    state.steps = from?.steps ?? 0;
    tf.dispose(tensors ?? []);
    return state;
  }

  #others(): SavedEntry[] {
    if (this.#specs.length === 0) return [];
    const owners = this.#pending.map(({ name }) => this.#owners.of(name));
    const met = owners.filter((owner) => owner !== undefined);
    const found = othersOf([...this.#known.keys(), ...met]);
    const others = found.map(({ name, shape }): SavedEntry => ({ name, shape }));
    return met.length < owners.length ? [...others, ...this.#owners.others] : others;
  }

  /** Disposed weights take their state with them. */
  #forgetDisposed(): void {
    for (const [weight, state] of this.#known) {
      if (!isGone(weight)) continue;
      state.dispose();
      this.#known.delete(weight);
    }
    const gone = this.#pending.filter(({ name }) => {
      const owner = this.#owners.of(name);
      return owner !== undefined && isGone(owner);
    });
    disposeAll(gone);
    this.#pending = this.#pending.filter((state) => !gone.includes(state));
  }

  #dropPending(): void {
    disposeAll(this.#pending);
    this.#pending = [];
    this.#owners = NO_OWNERS;
  }
}

function tensorsOf(state: PendingState | undefined): tf.Tensor[] | undefined {
  return state?.tensors.map(({ tensor }) => tensor);
}

function disposeAll(states: readonly PendingState[]): void {
  tf.dispose(states.flatMap((state) => tensorsOf(state) ?? []));
}

function pendingOf(
  weight: tf.Variable,
  pending: readonly PendingState[],
  owners: Owners,
): PendingState | undefined {
  const name = owners.nameOf(weight);
  return name === undefined ? undefined : pending.find((state) => state.name === name);
}
