// Which variables are under Lookahead. Their first slow values are captured from the weight when it is first seen,
// or restored from a file.

import type * as tf from '@tensorflow/tfjs-core';

import type { SlowlaneError } from '../../checks/errors.js';
import { UsedDevices } from '../../engine/used-devices.js';
import { nonFiniteAt } from '../../checks/finite-values.js';
import { isGone } from '../../tfjs/variables.js';
import { Captures, type RefusedCapture } from './captures.js';
import type { Frozen } from './frozen.js';
import { KnownData } from './known-data.js';
import type { LookaheadSettings, ReplacedPolicy } from '../options.js';
import type { InnerOptimizer, StateTensor } from '../../optimizers/inner-optimizer.js';
import { formatOf, type SlowStore, type Storable } from '../../slow/slow-store.js';
import type { SlowStepSize } from '../step-size.js';
import { assertAmong } from '../../optimizers/state/owners.js';
import type { SavedSlow, SavedSlowWeights } from '../../snapshot/lookahead-state.js';
import type { Restored } from './restored.js';
import { settingsOf } from './weight-overrides.js';

/** One variable under Lookahead: a weight, or a slot of one in the inner optimizer. */
export interface Tracked extends Storable {
  /** The weight itself, or the weight whose slot this is. */
  readonly weight: tf.Variable;
  /** The paper's α. */
  readonly slowStepSize: SlowStepSize;
}

type Unnumbered = Omit<Tracked, 'serial' | 'isKeptInF32'>;

/** False for a slot (innerState: 'interpolate'). */
export function isWeight({ slot }: Tracked): boolean {
  return slot === null;
}

export interface TrackingParts {
  readonly inner: InnerOptimizer;
  readonly settings: LookaheadSettings;
  readonly frozen: Frozen;
}

export class Tracking {
  /** The slow weights. Callers blend and restore there; what is added and removed goes through this class. */
  readonly store: SlowStore<Tracked>;
  readonly #inner: InnerOptimizer;
  readonly #settings: LookaheadSettings;
  readonly #frozen: Frozen;
  /** Every variable seen so far, in order; null if it is excluded. */
  readonly #seen = new Map<tf.Variable, Tracked | null>();
  readonly #captures: Captures<Tracked>;
  readonly #known: KnownData;
  /** For what is tracked next. */
  #nextSerial = 0;
  readonly #restored: Restored;
  readonly #devices = new UsedDevices();

  constructor(
    { inner, settings, frozen }: TrackingParts,
    store: SlowStore<Tracked>,
    restored: Restored,
  ) {
    this.#inner = inner;
    this.#settings = settings;
    this.#frozen = frozen;
    this.#known = new KnownData(frozen);
    this.#restored = restored;
    this.#nextSerial = restored.waiting.reduce((most, { serial }) => Math.max(most, serial + 1), 0);
    this.store = store;
    this.#captures = new Captures(store);
  }

  /** What is tracked and still there. */
  live(isMeant: (tracked: Tracked) => boolean = () => true): Tracked[] {
    return this.#tracked.filter((tracked) => !isGone(tracked.variable) && isMeant(tracked));
  }

  /** The DEVICE_LOST of the device that slow weights were captured on; null while it is there. */
  get lost(): SlowlaneError | null {
    return this.#devices.lost;
  }

  /** True if slow weights were restored, it is not known whose, and none of their weights was seen since. */
  get isWaiting(): boolean {
    return this.#restored.owners.includes(undefined) && this.#tracked.length === 0;
  }

  /** All weights seen so far, the excluded ones too. */
  get weights(): readonly tf.Variable[] {
    const all = [...this.#seen].filter(([, tracked]) => tracked === null || isWeight(tracked));
    return all.map(([variable]) => variable);
  }

  /** Those of the excluded ones that are alive and not frozen. */
  get excluded(): readonly tf.Variable[] {
    const excluded = this.weights.filter((weight) => this.#seen.get(weight) === null);
    return excluded.filter((weight) => !isGone(weight) && !this.#frozen.has(weight));
  }

  /** The weights seen so far, and those that restored values wait for; undefined: not known yet which. */
  get holders(): readonly (tf.Variable | undefined)[] {
    return [...this.weights, ...this.#restored.owners];
  }

  /**
   * Tracks those of `weights` that are new and trainable, and returns them. `capture` or `take` has to follow before a step.
   * All weights whose restored values have found them thereby are tracked too: an end of the cycle is meant for them.
   */
  add(weights: readonly tf.Variable[]): readonly Tracked[] {
    const added = this.#add(weights.filter(({ trainable }) => trainable));
    return [...added, ...this.#add(this.#restored.owners.filter(isThere))];
  }

  /** Looks for the weights of all restored values among `weights`, which are all that there are, if none has met its own. */
  meet(weights: readonly tf.Variable[]): void {
    if (!this.isWaiting) return;
    this.#restored.meet(weights);
    this.add([]);
  }

  #add(weights: readonly tf.Variable[]): readonly Tracked[] {
    const unseen = [...new Set(weights)].filter((weight) => !this.#seen.has(weight));
    const fresh = unseen.flatMap((weight) => this.#new(weight) ?? []);
    const excluded = unseen.filter((weight) => this.#seen.get(weight) === null);
    const restored = this.#restored.claimBeside(
      fresh.map(({ weight }) => weight),
      excluded,
    );
    if (fresh.length === 0) return [];
    const added = fresh.map((tracked) => this.#numbered(tracked, restored.get(tracked.weight)));
    try {
      this.#prune();
      this.#register(added);
      for (const tracked of added) {
        const saved = restored.get(tracked.weight);
        if (saved) this.store.write(tracked, saved.values);
      }
    } catch (cause) {
      this.#drop(added); // what was restored can be claimed again
      throw cause;
    }
    this.#restored.forget(restored.values());
    for (const { weight } of added) {
      const isRestored = restored.has(weight);
      this.#known.begin(weight, { isRestored });
      if (!isRestored) this.#captures.begin(weight);
    }
    return added;
  }

  /** Weights are about to be updated, and we cannot wait: takes what is not captured yet, or returns what it cannot be. */
  take(round: number): RefusedCapture | null {
    return this.#captures.take(this.live(), round);
  }

  /** `weights` take a step next. */
  stepping(weights: readonly tf.Variable[]): void {
    for (const weight of weights) if (weight.trainable) this.#known.stepping(weight);
  }

  /** Weights that are not frozen, and slots of these: all that may be moved. */
  movable(): Tracked[] {
    return this.live(({ weight }) => !this.#frozen.has(weight));
  }

  /** `all` are the weights of a model: those that restored values wait for are among them. */
  meetModel(all: readonly tf.Variable[]): void {
    this.#restored.meet(all, { isWhole: true });
  }

  /**
   * Looks at the data of all weights.
   *
   * @returns `refused`: the replaced weights that the policy refuses. `anew`: what has to be captured again, because it was
   * loaded before its first step or while it was frozen, or replaced with `'resync'`.
   */
  look(policy: ReplacedPolicy): { refused: readonly tf.Variable[]; anew: readonly Tracked[] } {
    const changes = new Map(
      this.live(isWeight).map(({ weight }) => [weight, this.#known.look(weight)]),
    );
    const replaced = [...changes.keys()].filter((weight) => changes.get(weight) === 'replaced');
    if (policy === 'throw' && replaced.length > 0) return { refused: replaced, anew: [] };
    const isAnew = ({ weight }: Tracked) => {
      const change = changes.get(weight);
      return change === 'loaded' || (change === 'replaced' && policy === 'resync');
    };
    return { refused: [], anew: this.live(isAnew) };
  }

  /** Slow := fast for what `look` gave, by the `capture` or `take` that follows. */
  captureAnew(anew: readonly Tracked[]): void {
    for (const { variable } of anew) this.#captures.add(variable);
    for (const { weight } of anew) this.#known.learn(weight);
  }

  /** Weights that would miss a second sync in a row because they are frozen, although they took steps before each. */
  standingStill(): readonly tf.Variable[] {
    const frozen = this.live(isWeight).filter(({ weight }) => this.#frozen.has(weight));
    return frozen.map(({ weight }) => weight).filter((weight) => this.#known.standsStill(weight));
  }

  /** `weights` were synced. */
  synced(weights: readonly tf.Variable[]): void {
    const synced = new Set(weights);
    for (const { weight } of this.live(isWeight)) {
      this.#known.syncPassed(weight, synced.has(weight));
    }
  }

  /** What others changed since our last write, frozen weights aside. */
  changed(): readonly tf.Variable[] {
    const weights = this.live(isWeight).map(({ weight }) => weight);
    return weights.filter((weight) => this.#known.look(weight) !== 'none');
  }

  /** True if `weight` holds what our last write left in it. */
  isAsLeft(weight: tf.Variable): boolean {
    return this.#known.isAsLeft(weight);
  }

  /** What `other` knows of the weights that are tracked here too. */
  goOn(other: Tracking): void {
    for (const { weight } of this.live(isWeight)) this.#known.goOn(weight, other.#known);
  }

  isFrozen(weight: tf.Variable): boolean {
    return this.#frozen.has(weight);
  }

  /** We have written these weights, or may have. Default: all that are not frozen. */
  wrote(weights: readonly tf.Variable[] = this.movable().map(({ weight }) => weight)): void {
    for (const weight of weights) this.#known.wrote(weight);
  }

  /** Tracks the slots that the inner optimizer has made by now (innerState: 'interpolate'). */
  async addSlots(): Promise<void> {
    if (this.#settings.innerState === 'interpolate') this.#addSlots(await this.#inner.state());
  }

  /** The same, with one of our own inner optimizers. */
  addSlotsAtOnce(): void {
    if (this.#settings.innerState !== 'interpolate') return;
    // Those whose state has to be awaited are refused with sync: 'inline' (check-inner.ts).
    this.#addSlots(this.#inner.state() as readonly StateTensor[]);
  }

  #addSlots(state: readonly StateTensor[]): void {
    const counts = new Map<tf.Variable, number>();
    const added: { tracked: Tracked; initial: number }[] = [];
    for (const { variable, weight, initial } of state) {
      const slot = counts.get(weight) ?? 0;
      counts.set(weight, slot + 1);
      const owner = this.#seen.get(weight);
      if (!owner || this.#seen.has(variable)) continue;
      added.push({ tracked: { ...owner, variable, slot, isKeptInF32: false }, initial });
    }
    this.#register(added.map(({ tracked }) => tracked));
    for (const slot of new Set(added.map(({ tracked }) => tracked.slot))) {
      const these = added.filter(({ tracked }) => tracked.slot === slot);
      const restored = this.#restored.claim(
        these.map(({ tracked }) => tracked.weight),
        slot,
      );
      this.#restored.forget(restored.values());
      for (const { tracked, initial } of these) {
        const values = restored.get(tracked.weight)?.values;
        this.store.write(tracked, values ?? new Float32Array(tracked.size).fill(initial));
      }
    }
  }

  get needsCapture(): boolean {
    return this.#captures.areDue;
  }

  /** Brings θ₀ of new weights into the store, and returns what cannot be there. May be called again after it failed. */
  capture(round: number): Promise<RefusedCapture | null> {
    return this.#captures.run(round);
  }

  /** What `capture` has returned keeps its older slow values. Returns what has none: then nothing is given up. */
  giveUpRefused(): RefusedCapture | null {
    return this.#captures.giveUp();
  }

  /** True if the slow values of `tracked` are in the store, where it was not pruned. */
  isCaptured({ variable }: Tracked): boolean {
    return !this.#captures.isDue(variable);
  }

  /** Restored slow values that wait for their weights. */
  get waiting(): readonly SavedSlow[] {
    return this.#restored.waiting;
  }

  /** Slow := fast, for what `isMeant`, except of what it returns, which is not finite. May be called again after it failed. */
  async recapture(
    round: number,
    isMeant: (tracked: Tracked) => boolean = () => true,
  ): Promise<readonly tf.Variable[]> {
    const meant = this.live(isMeant);
    for (const { weight } of meant.filter(isWeight)) this.#known.learn(weight);
    return this.store.capture(new Map(meant.map(({ variable }) => [variable, variable])), round);
  }

  /** Drops restored values and pending captures, because everything is captured again. */
  startOver(): void {
    this.#restored.drop();
    this.#captures.drop();
  }

  /** All slow values, without those of `dropped`. */
  async save(dropped: readonly tf.Variable[] = []): Promise<SavedSlowWeights> {
    await this.store.ready();
    const slow: SavedSlow[] = [];
    const kept = this.live(({ weight }) => !dropped.includes(weight));
    for (const tracked of kept) {
      slow.push({
        name: tracked.weight.name,
        shape: tracked.variable.shape,
        slot: tracked.slot,
        // One after the other: reading from a device takes staging memory there.
        values: (await this.#loadedValues(tracked)) ?? (await this.store.read(tracked)),
        serial: tracked.serial,
        isKeptInF32: tracked.isKeptInF32,
      });
    }
    const names = new Set(dropped.map(({ name }) => name));
    slow.push(...this.#restored.waiting.filter(({ name }) => !names.has(name)));
    // A slot comes after its weight.
    slow.sort((a, b) => Number(a.slot !== null) - Number(b.slot !== null));
    const others = this.#restored.others(
      kept.filter(isWeight).map(({ weight }) => weight),
      this.weights.filter((weight) => this.#seen.get(weight) === null && !isGone(weight)),
    );
    return { slow, others };
  }

  /** @throws SlowlaneError STATE_MISMATCH if there are slow values of a weight that is not among `weights`. */
  assertWithin(weights: readonly tf.Variable[]): void {
    this.#restored.meet(weights);
    const tracked = this.live(isWeight).map(({ weight }) => weight);
    assertAmong([...tracked, ...this.#restored.owners], weights);
  }

  dispose(): void {
    this.#captures.drop();
    this.store.dispose();
    this.#seen.clear();
  }

  /** The fast values of what was loaded while it is frozen: they are captured when it trains again, after a load too. */
  async #loadedValues({ weight, variable }: Tracked): Promise<Float32Array | null> {
    if (!this.#frozen.has(weight) || this.#known.isAsLeft(weight)) return null;
    const values = Float32Array.from(await variable.data<'float32'>());
    return nonFiniteAt(values) < 0 ? values : null;
  }

  get #tracked(): Tracked[] {
    return [...this.#seen.values()].filter((tracked) => tracked !== null);
  }

  /** Makes room for the slow values of `added`, which are zero until `capture` or `write`. */
  #register(added: readonly Tracked[]): void {
    this.store.add(added);
    this.#devices.note();
    for (const tracked of added) this.#seen.set(tracked.variable, tracked);
  }

  /** As if `added`, which were added together, had not been. */
  #drop(added: readonly Tracked[]): void {
    const dropped = new Set(added);
    for (const { variable } of added) this.#seen.delete(variable);
    this.store.prune((tracked) => !dropped.has(tracked) && !isGone(tracked.variable));
  }

  /** Removes variables that are disposed, and memory that holds nothing else. */
  #prune(): void {
    for (const [variable] of this.#seen) if (isGone(variable)) this.#seen.delete(variable);
    this.store.prune(({ variable }) => !isGone(variable));
  }

  #new(weight: tf.Variable): Unnumbered | null {
    if (weight.dtype !== 'float32') return null;
    const { overrides, slow, slowStepSize } = this.#settings;
    const settings = settingsOf(weight, overrides, { slow: slow ?? 'host:f32', slowStepSize });
    if (!settings) {
      this.#seen.set(weight, null);
      return null;
    }
    return { variable: weight, size: weight.size, weight, slot: null, ...settings };
  }

  #numbered(tracked: Unnumbered, saved: SavedSlow | undefined): Tracked {
    const serial = saved?.serial ?? this.#nextSerial++;
    const fresh = { ...tracked, serial, isKeptInF32: false };
    return { ...fresh, isKeptInF32: saved?.isKeptInF32 === true && formatOf(fresh) !== 'f32' };
  }
}

function isThere(weight: tf.Variable | undefined): weight is tf.Variable {
  return weight !== undefined && !isGone(weight);
}
