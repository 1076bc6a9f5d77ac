// The syncs of a Lookahead: one sync from the check for NaN to the next cycle, and everything else that makes fast
// and slow weights meet. The guard (call-guard.ts) lets one of these calls run at a time.

import type * as tf from '@tensorflow/tfjs-core';

import { createBlender, defaultWorkers } from '#worker-blender';

import type { SlowlaneError } from '../checks/errors.js';
import { currentDevice } from '../engines/current-device.js';
import { firstNonFinite } from '../engines/finite.js';
import type { InnerOptimizer } from '../optimizers/inner-optimizer.js';
import type { Blending } from '../slow/slow-store.js';
import type { Blender } from '../sync/blender.js';
import { StoreByPlace } from '../sync/store-by-place.js';
import { isGone } from '../tfjs/variables.js';
import { BadValues } from './non-finite/bad-values.js';
import type { CallGuard } from './call-guard.js';
import { CycleState } from './cycle-state.js';
import { type BadValue, inWeight, nonFinite } from './non-finite/bad-value.js';
import type { LookaheadSettings } from './options.js';
import type { RefusedCapture } from './weights/captures.js';
import { Stash } from './weights/stash.js';
import { type LookaheadStats, SyncClock } from './stats.js';
import { isWeight, type Tracked } from './weights/tracking.js';
import { notCaptured, notMet, replacementsLost } from './weights/weights-changed.js';

const WAY_OUT =
  "The slow weights are as they were: await discard() to go back to them. Often the learning rate is too large, or the data hold a NaN. With nonFinite: 'restore' a sync goes back by itself, with 'skip' it is left out";

const EXCLUDED =
  'It is excluded, so there is no slow value to go back to: give it finite values, or load a saved state';

export class Syncing {
  readonly state: CycleState;
  readonly #inner: InnerOptimizer;
  readonly #settings: LookaheadSettings;
  readonly #guard: CallGuard;
  readonly #blender: Blender;
  readonly #badValues: BadValues;
  readonly #clock = new SyncClock();
  /** Weights that were changed inside the last swap, and put back. */
  #lost: readonly tf.Variable[] = [];
  #bytesMoved = 0;
  #skipped = 0;

  constructor(inner: InnerOptimizer, settings: LookaheadSettings, guard: CallGuard) {
    this.#inner = inner;
    this.#settings = settings;
    this.#guard = guard;
    const { chunkBytes, workerTimeoutMs: timeoutMs, workerFile } = settings;
    const workers = settings.workers ?? defaultWorkers();
    const blender = createBlender({ workers, timeoutMs, ...(workerFile && { workerFile }) });
    const slots = workers + 2; // one for each worker, one being pulled, one being pushed
    const store = { chunkBytes, slots, blender, clock: this.#clock };
    this.#blender = blender;
    this.state = new CycleState(inner, settings, () => new StoreByPlace(store));
    this.#badValues = new BadValues(inner, this.state);
  }

  /** Captures those of `weights` that are new. Restored values may wait for the frozen ones. */
  async attach(weights: readonly tf.Variable[]): Promise<void> {
    this.state.add(weights);
    this.state.meet(weights);
    await this.#capture();
  }

  /** For `call`: captures, and syncs if a sync is due. @throws SlowlaneError WEIGHTS_REPLACED. */
  async flush(call: string): Promise<void> {
    await this.state.noticeAwaited(call);
    await this.#capture();
    await this.#inner.flush?.();
    if (this.state.cycle.isDue) await this.#clock.timeSync(() => this.#sync());
    else await this.state.tracking.store.yield();
  }

  /** Syncs in mid-cycle, if a step was taken since the last sync. */
  async syncEarly(): Promise<void> {
    this.#assertMet();
    if (this.state.cycle.hasMoved) await this.#clock.timeSync(() => this.#sync());
  }

  /** The same at the end of training: without it the last steps would be lost. `adaptive()` has no gradient for them. */
  async syncLast(): Promise<void> {
    this.#assertMet();
    if (!this.state.stepSizes.needsGradients) await this.syncEarly();
  }

  /** With sync: 'inline', after a step: does the sync that it has made due. */
  syncAtOnce(): void {
    if (this.#settings.sync !== 'inline' || !this.state.cycle.isDue) return;
    this.#clock.timeAtOnce(() => this.#syncAtOnce());
  }

  /** Slow := fast, and a new cycle. */
  async recapture(): Promise<void> {
    const { tracking, cycle } = this.state;
    const { steps } = cycle;
    await tracking.addSlots();
    const bad = await firstNonFinite(tracking.live().map(({ variable }) => variable));
    if (bad) {
      throw nonFinite(
        inWeight(bad),
        steps,
        'resync() would make it a slow weight; discard() goes back to the slow weights',
      );
    }
    await this.#guard.attempt(async () => {
      await tracking.recapture(steps);
      tracking.startOver();
      this.state.restart();
    });
  }

  /** Fast := slow, and a new cycle. Frozen weights stay as they are. */
  async restore(): Promise<void> {
    this.#assertMet();
    await this.state.noticeLoaded();
    const refused = (await this.#captured()) && this.state.tracking.giveUpRefused();
    if (refused) throw notCaptured(refused, this.state.cycle.steps);
    const { tracking } = this.state;
    await tracking.addSlots();
    let isRest = false;
    await this.#guard.attempt(async () => {
      if (isRest) this.state.assertUntouched();
      isRest = true;
      await this.#restore(tracking.movable());
      this.state.restart();
    });
  }

  /** Fast := slow; an inner state that would bring non-finite weights back starts afresh. */
  async discard(): Promise<void> {
    await this.restore();
    if (await this.#badValues.areInState()) await this.#resetInner();
  }

  /** Shows the slow weights in the model; slots, counters and frozen weights stay. Resolves to what undoes it. */
  async showSlow(): Promise<() => Promise<void>> {
    this.#assertMet();
    const { tracking } = this.state;
    const stash = new Stash();
    const shown = tracking.movable().filter(isWeight);
    const weights = shown.map(({ weight }) => weight);
    await stash.take(weights, currentDevice());
    const putBack = async () => {
      try {
        await stash.putBack(currentDevice());
      } finally {
        tracking.wrote(weights);
      }
    };
    try {
      await this.#restore(shown);
    } catch (cause) {
      await this.#guard.attempt(putBack);
      throw cause;
    }
    this.#lost = [];
    return async () => {
      for (const weight of this.#changedInside(weights)) {
        weights.splice(weights.indexOf(weight), 1);
        stash.drop(weight);
      }
      await putBack();
    };
  }

  /** After a swap, once: the error of weights that were changed inside it and are lost, or null. */
  takeLost(): SlowlaneError | null {
    const lost = this.#lost;
    this.#lost = [];
    return lost.length > 0 ? replacementsLost(lost) : null;
  }

  /** Those of `shown` that were changed inside the swap and stay so. The others are put back, and lost. */
  #changedInside(shown: readonly tf.Variable[]): readonly tf.Variable[] {
    const { tracking } = this.state;
    const changed = shown.filter((weight) => !isGone(weight) && !tracking.isAsLeft(weight));
    const stays = (weight: tf.Variable) =>
      tracking.isFrozen(weight) || this.#settings.replaced !== 'throw';
    tracking.changed(); // looks, so that a freeze is seen
    this.#lost = changed.filter((weight) => !stays(weight));
    return changed.filter(stays);
  }

  /** Stops the workers until the next sync. */
  async stopWorkers(): Promise<void> {
    await this.#blender.close();
  }

  dispose(): void {
    this.state.dispose();
    this.#inner.dispose();
    void this.#blender.close();
  }

  stats(): LookaheadStats {
    const { cycle, tracking } = this.state;
    const { bytes, description } = tracking.store;
    return {
      steps: cycle.steps,
      syncs: cycle.syncs,
      skippedSyncs: this.#skipped,
      syncMs: this.#clock.times,
      bytesPulled: this.#bytesMoved,
      bytesPushed: this.#bytesMoved,
      host: { slowBytes: bytes.slow, stagingBytes: bytes.staging },
      device: { stagingBytes: bytes.device },
      keptInF32: tracking.live(({ isKeptInF32 }) => isKeptInF32).length,
      workers: description,
    };
  }

  async #sync(): Promise<void> {
    const { tracking, stepSizes, cycle } = this.state;
    const { store } = tracking;
    this.state.warnOfOverrides();
    await this.#clock.time('wait', () => store.ready());
    await tracking.addSlots();
    this.state.assertNoneStandsStill();
    const due = tracking.movable();
    // Everything that can refuse the sync comes first: until the weights are moved, nothing has changed.
    if (!(await this.#clock.time('check', () => this.#mayBlend(due)))) return;
    const blending = this.#blendingOf(await stepSizes.of(due, store, cycle.syncs));
    const weights = due.map(({ weight }) => weight);
    this.state.assertUntouched(weights);
    await this.#guard.attempt(() => this.#finishSync(blending, weights));
  }

  /** What `#sync` does, without waiting, and the same bits. */
  #syncAtOnce(): void {
    const { tracking, stepSizes, cycle } = this.state;
    this.state.warnOfOverrides();
    tracking.addSlotsAtOnce();
    this.state.assertNoneStandsStill();
    const due = tracking.movable();
    const bad = this.#badValues.firstAtOnce(due);
    if (bad) return this.#skipAtOnce(bad);
    const blending = this.#blendingOf(stepSizes.decided(due, cycle.syncs, NaN));
    const weights = due.map(({ weight }) => weight);
    const blend = () => {
      try {
        this.#bytesMoved += blending.runAtOnce?.() ?? 0;
      } finally {
        tracking.wrote(weights);
      }
      if (this.#settings.innerState === 'reset') void this.#inner.reset(weights);
      this.state.synced(weights);
    };
    this.#guard.attemptAtOnce(blend, () => this.#finishSync(blending, weights));
  }

  #blendingOf(byWeight: ReadonlyMap<Tracked, number>): Blending {
    const { tracking, cycle } = this.state;
    const stepSizeOf = (tracked: Tracked) => byWeight.get(tracked) ?? null;
    return tracking.store.blend({ stepSizeOf, round: cycle.steps });
  }

  /** Blends `weights`, or what is left of them. */
  async #finishSync(blending: Blending, weights: readonly tf.Variable[]): Promise<void> {
    this.state.assertUntouched(weights, { isRest: true });
    const bytesMoved = await this.#writing(weights, () => blending.run());
    if (this.#settings.innerState === 'reset') {
      await this.#inner.reset(this.#inner.resetsByWeight ? weights : undefined);
    }
    this.#bytesMoved += bytesMoved;
    this.state.synced(weights);
  }

  async #restore(items: readonly Tracked[]): Promise<void> {
    const meant = new Set(items);
    const weights = items.filter(isWeight).map(({ weight }) => weight);
    await this.#writing(weights, () =>
      this.state.tracking.store.restore((item) => meant.has(item)),
    );
  }

  /** Runs `work`, which writes `weights`. What it has left in them is known afterwards, also if it failed. */
  async #writing<T>(weights: readonly tf.Variable[], work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      this.state.tracking.wrote(weights);
    }
  }

  /** False if the policy for non-finite weights has dealt with this sync. */
  async #mayBlend(due: readonly Tracked[]): Promise<boolean> {
    const bad = await this.#badValues.first(due);
    if (bad === null) return true;
    if (this.#policyFor(bad) === 'skip') {
      this.state.skipped(bad);
      return false;
    }
    await this.restore();
    await this.#resetInner();
    return false;
  }

  /** The same as `#mayBlend` does with `bad`, without waiting. */
  #skipAtOnce(bad: BadValue): void {
    if (this.#policyFor(bad) === 'skip') return this.state.skipped(bad);
    const { tracking, cycle } = this.state;
    const due = new Set(tracking.movable());
    const restore = () => {
      try {
        tracking.store.atOnce?.restore((item) => due.has(item));
      } finally {
        tracking.wrote();
      }
      this.state.restart();
    };
    this.#guard.attemptAtOnce(restore, () => this.restore());
    void this.#inner.reset();
    const slots = tracking.live((tracked) => !isWeight(tracked));
    tracking.store.take(slots, cycle.steps);
  }

  /** @throws SlowlaneError NON_FINITE if the option says so. */
  #policyFor(bad: BadValue): 'skip' | 'restore' {
    const { nonFinite: policy } = this.#settings;
    if (policy === 'throw' || (policy === 'restore' && bad.isExcluded)) {
      throw nonFinite(bad, this.state.cycle.steps, bad.isExcluded ? EXCLUDED : WAY_OUT);
    }
    this.#skipped++;
    return policy;
  }

  /** A fresh inner state, for the slow values of its slots too. */
  async #resetInner(): Promise<void> {
    await this.#inner.reset();
    const { tracking, cycle } = this.state;
    await tracking.recapture(cycle.steps, (tracked) => !isWeight(tracked));
  }

  /** @throws SlowlaneError NON_FINITE if a weight is not finite that was to become a slow weight. */
  async #capture(): Promise<void> {
    const refused = await this.#captured();
    if (refused) throw notCaptured(refused, this.state.cycle.steps);
  }

  /** Resolves to what could not be captured. */
  async #captured(): Promise<RefusedCapture | null> {
    const { tracking, cycle } = this.state;
    let refused: RefusedCapture | null = null;
    if (tracking.needsCapture) {
      await this.#guard.attempt(async () => {
        refused = await tracking.capture(cycle.steps);
      });
    }
    return refused;
  }

  /** Slow weights that have not met their weights cannot be shown. */
  #assertMet(): void {
    if (!this.state.tracking.isWaiting) return;
    throw notMet();
  }
}
