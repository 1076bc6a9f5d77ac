// What a Lookahead knows between its syncs: the weights with their slow values, where in the cycle it is, and what
// the next sync needs. Moves nothing.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import { checkAllMatch } from '../checks/overrides.js';
import { currentDevice } from '../engines/current-device.js';
import { allNonFiniteIn, atOnce, awaited, firstNonFinite, nonFiniteIn } from '../engines/finite.js';
import type { InnerOptimizer } from '../optimizers/inner-optimizer.js';
import type { SlowStore } from '../slow/slow-store.js';
import type { OwnerMap } from '../optimizers/state/owners.js';
import type { Replacement } from '../optimizers/state/replacement.js';
import { mismatch, type SavedSlowWeights } from '../snapshot/lookahead-state.js';
import { isGone } from '../tfjs/variables.js';
import { checkCounters, SyncCycle } from './cycle.js';
import { Frozen } from './weights/frozen.js';
import type { LookaheadSettings } from './options.js';
import { Restored } from './weights/restored.js';
import type { BadValue } from './non-finite/bad-value.js';
import { SkippedSyncs } from './non-finite/skipped-syncs.js';
import { StepSizes } from './step-sizes.js';
import { type Tracked, Tracking } from './weights/tracking.js';
import {
  loadedNonFinite,
  notCaptured,
  notMet,
  weightsFrozen,
  weightsReplaced,
} from './weights/weights-changed.js';

export class CycleState {
  readonly stepSizes: StepSizes;
  readonly cycle: SyncCycle;
  readonly #frozen = new Frozen();
  readonly #skips = new SkippedSyncs();
  readonly #inner: InnerOptimizer;
  readonly #settings: LookaheadSettings;
  readonly #makeStore: () => SlowStore<Tracked>;
  #tracking: Tracking;
  #areOverridesChecked = false;
  #isStepping = false;

  constructor(
    inner: InnerOptimizer,
    settings: LookaheadSettings,
    makeStore: () => SlowStore<Tracked>,
  ) {
    this.#inner = inner;
    this.#settings = settings;
    this.#makeStore = makeStore;
    this.stepSizes = new StepSizes(inner, settings.slowStepSize);
    this.#tracking = this.#fresh(new Restored([]));
    this.cycle = new SyncCycle(settings.syncPeriod);
  }

  get tracking(): Tracking {
    return this.#tracking;
  }

  /** True if `flush` has to be awaited before the next step, for a sync or for moments that are away. */
  get due(): boolean {
    return this.#inner.due === true || this.cycle.isDue;
  }

  /** Of a model's weights, `trained` are trained: the others are frozen, whatever their variables say. */
  freezeOthers(all: readonly tf.Variable[], trained: readonly tf.Variable[]): void {
    this.#frozen.freezeOthers(all, trained);
  }

  /** Takes in those of `weights` that are new; a capture, or `stepping`, has to follow before a step. */
  add(weights: readonly tf.Variable[]): void {
    if (this.#tracking.add(weights).length > 0) this.cycle.join();
  }

  /** Restored values that wait for weights that are all frozen find them among `weights`, which are all that there are. */
  meet(weights: readonly tf.Variable[]): void {
    this.#tracking.meet(weights);
    if (this.#tracking.live().length > 0) this.cycle.join();
  }

  /**
   * Looks for weights that something else has changed, before a step. What is captured again is checked where the device can
   * be read at once.
   *
   * @throws SlowlaneError WEIGHTS_REPLACED or NON_FINITE, before anything changes.
   */
  notice(call: string): void {
    const anew = this.#look(call);
    const variables = anew.map(({ variable }) => variable);
    const canRead = currentDevice().pullsAtOnce === true;
    this.#captureAnew(call, anew, canRead ? atOnce(nonFiniteIn(variables)) : null);
  }

  /** The same where we can wait. */
  async noticeAwaited(call: string): Promise<void> {
    const anew = this.#look(call);
    if (anew.length === 0) return;
    this.#captureAnew(call, anew, await firstNonFinite(anew.map(({ variable }) => variable)));
  }

  /** Before fast := slow: loaded weights are not given up, unless they cannot be slow weights. */
  async noticeLoaded(): Promise<void> {
    const { anew } = this.#tracking.look('ignore');
    const bad = await awaited(allNonFiniteIn(anew.map(({ variable }) => variable)));
    const weights = anew.flatMap(({ variable, weight }) => (bad.includes(variable) ? weight : []));
    this.#tracking.captureAnew(anew.filter(({ weight }) => !weights.includes(weight)));
  }

  /**
   * Call it where weights are moved next, in mid-sync too: since the call was checked, others may have had their turn.
   *
   * @throws SlowlaneError WEIGHTS_REPLACED if they have changed weights, SYNC_FAILED if they have frozen some of `meant`.
   */
  assertUntouched(meant: readonly tf.Variable[] = [], { isRest = false } = {}): void {
    if (this.#settings.replaced !== 'ignore') {
      const changed = this.#tracking.changed();
      if (changed.length > 0) throw weightsReplaced('sync', changed, { isRest });
    }
    const frozen = meant.find((weight) => !isGone(weight) && this.#tracking.isFrozen(weight));
    if (!frozen) return;
    throw new SlowlaneError(
      'SYNC_FAILED',
      `'${frozen.name}' was frozen before a sync that moves it was over. Make it trainable, await sync(), and freeze it then; or go back to the slow weights with discard().`,
      { weight: frozen.name },
    );
  }

  /** `weights` are about to be updated. What is taken before that waits for `flush`. */
  stepping(call: string, weights: readonly tf.Variable[]): void {
    this.notice(call); // the loss may have changed weights
    this.add(weights);
    if (this.#settings.sync === 'inline' && this.#tracking.store.atOnce === null) {
      throw new SlowlaneError(
        'UNSUPPORTED',
        `sync: 'inline' needs a backend that can be read without waiting, cpu or wasm; the backend is '${tf.getBackend()}'. Leave sync out, and pass callbacks: optimizer.callbacks() to model.fit(), or take steps with await optimizer.step().`,
        { backend: tf.getBackend() },
      );
    }
    this.#take();
    this.#tracking.stepping(weights);
    this.#isStepping = true;
  }

  /** Call it after each inner step, also if it failed: weights may have changed in part. */
  endStep(): void {
    if (this.#isStepping) this.#tracking.wrote();
    this.#isStepping = false;
  }

  /** An inner step was applied, or a micro-batch of one. */
  stepped(): void {
    if (this.#inner.isAccumulating !== true) this.cycle.step();
  }

  /** The step of the micro-batches so far. */
  completeStep(): boolean {
    const isOpen = this.#inner.isAccumulating === true;
    if (isOpen && this.cycle.isEnding) this.stepSizes.refuseEnd('completeStep');
    if (isOpen) this.#take();
    try {
      if (this.#inner.completeStep?.() !== true) return false;
    } finally {
      this.#tracking.wrote();
    }
    this.stepped();
    return true;
  }

  /** For adaptive(): `compute` evaluates the loss and its gradients at the weights as they are now. */
  keepGradientsIfNeeded(compute: () => { value: tf.Scalar; grads: tf.NamedTensorMap }): void {
    if (!this.cycle.isDue) return;
    this.stepSizes.keepGradientsIfNeeded(compute, this.#tracking.weights);
  }

  /**
   * A weight that trains between syncs and is frozen at each of them would train without Lookahead, and lose all of it where
   * its slow value is shown.
   *
   * @throws SlowlaneError WEIGHTS_FROZEN if a weight misses its second sync in a row.
   */
  assertNoneStandsStill(): void {
    const weights = this.#tracking.standingStill();
    if (weights.length > 0) throw weightsFrozen(weights);
  }

  /** A sync of `weights` was done: the next cycle begins. */
  synced(weights: readonly tf.Variable[]): void {
    this.#tracking.synced(weights);
    this.cycle.synced();
    this.#skips.clear();
    this.stepSizes.dropGradients();
  }

  /** A sync was left out because of `bad`: the next cycle begins. */
  skipped(bad: BadValue): void {
    this.#skips.add(bad);
    this.#beginCycle();
  }

  /** Fast and slow weights were made equal: micro-batches of an open step are given up, and a new cycle begins. */
  restart(): void {
    this.#inner.abandonStep?.();
    this.#skips.clear();
    this.#beginCycle();
  }

  #beginCycle(): void {
    this.cycle.restart();
    this.stepSizes.dropGradients();
  }

  /** @throws SlowlaneError UNMATCHED_OVERRIDE if an override matches none of `weights`, which are all there are. */
  checkOverrides(weights: readonly tf.Variable[]): void {
    checkAllMatch("lookahead()'s overrides", this.#settings.overrides, weights);
    this.#areOverridesChecked = true;
  }

  /** The same of the weights that were seen so far, as a warning, once, unless all weights were known before. */
  warnOfOverrides(): void {
    if (this.#areOverridesChecked) return;
    this.#areOverridesChecked = true;
    try {
      this.checkOverrides(this.#tracking.weights);
    } catch (error) {
      if (!(error instanceof SlowlaneError)) throw error;
      console.warn(`slowlane: ${error.message}`);
    }
  }

  async save(): Promise<SavedSlowWeights & { counters: number[] }> {
    return { counters: this.cycle.save(), ...(await this.#tracking.save()) };
  }

  /**
   * Makes ready to replace everything.
   *
   * @param known Of all weights of the model, which was saved under which name: they take their slow values at once.
   * Without it they do when they are next seen.
   * @throws SlowlaneError STATE_MISMATCH if it does not fit. Then nothing has changed.
   */
  replace(
    saved: SavedSlowWeights & { counters: readonly number[] },
    known?: OwnerMap,
  ): Replacement {
    const { counters, slow, others } = saved;
    checkCounters(counters);
    if (counters.length === 1 && slow.length > 0) {
      throw mismatch(`has slow weights but no cycle: [${counters.join(', ')}]`);
    }
    const next = this.#track({ slow, others }, known);
    return this.#swap(next, () => {
      this.cycle.load(counters);
      if (known) next.wrote([...known.values()]); // the weights were loaded with it
    });
  }

  /** Makes ready to drop the slow values of `weights`: the others move to memory of their own. */
  async without(weights: readonly tf.Variable[]): Promise<Replacement> {
    const holders = [...new Set(this.#tracking.holders)];
    if (holders.includes(undefined)) throw notMet();
    const saved = await this.#tracking.save(weights);
    const kept = holders.filter(
      (weight) => weight !== undefined && !weights.includes(weight),
    ) as tf.Variable[];
    const next = this.#track(saved, new Map(kept.map((weight) => [weight.name, weight])));
    return this.#swap(next, (before) => next.goOn(before));
  }

  dispose(): void {
    this.#tracking.dispose();
    this.#tracking = this.#fresh(new Restored([]));
    this.stepSizes.dropGradients();
  }

  /** @throws SlowlaneError NON_FINITE, before anything is taken, if that can be seen now. */
  #take(): void {
    const refused = this.#tracking.take(this.cycle.steps);
    if (refused) throw notCaptured(refused, this.cycle.steps);
  }

  #look(call: string): readonly Tracked[] {
    const { refused, anew } = this.#tracking.look(this.#settings.replaced);
    if (refused.length > 0) throw weightsReplaced(call, refused);
    return anew;
  }

  #captureAnew(call: string, anew: readonly Tracked[], bad: tf.Variable | null): void {
    if (bad) throw loadedNonFinite(call, bad, this.cycle.steps);
    this.#tracking.captureAnew(anew);
  }

  #swap(next: Tracking, alsoChange: (before: Tracking) => void): Replacement {
    return {
      commit: () => {
        const before = this.#tracking;
        this.#tracking = next;
        alsoChange(before);
        before.dispose();
        if (next.live().length > 0) this.cycle.join();
        this.#skips.clear();
        this.stepSizes.dropGradients();
      },
      dispose: () => next.dispose(),
    };
  }

  #fresh(restored: Restored): Tracking {
    const parts = { inner: this.#inner, settings: this.#settings, frozen: this.#frozen };
    return new Tracking(parts, this.#makeStore(), restored);
  }

  #track({ slow, others }: SavedSlowWeights, known?: OwnerMap): Tracking {
    const restored = new Restored(slow, { others, known });
    const tracking = this.#fresh(restored);
    try {
      tracking.add([]); // those whose weights are known
      return tracking;
    } catch (cause) {
      tracking.dispose();
      throw cause;
    }
  }
}
