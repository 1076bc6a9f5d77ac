// The syncs of a Lookahead: which weights are due, with which α, what becomes of the inner state and
// of non-finite weights. Called by one at a time (guard.ts).

import type * as tf from '@tensorflow/tfjs-core';

import { createBlender, defaultWorkers } from '#worker-blender';

import { hasBadSlot, nonFinite } from './bad-values.js';
import { firstNonFinite } from '../engines/finite.js';
import { currentDevice } from '../engines/current-device.js';
import { SlowlaneError } from '../checks/errors.js';
import type { CallGuard } from './call-guard.js';
import type { LookaheadSettings } from './options.js';
import type { LookaheadStats } from './stats.js';
import type { InnerOptimizer } from '../optimizers/inner.js';
import type { SavedSlow } from '../snapshot/lookahead-state.js';
import { StepSizes } from './step-sizes.js';
import type { Blender } from '../sync/blender.js';
import { makeSlowStore, type SlowStoreOptions } from '../sync/make-slow-store.js';
import { Stash } from './slow-weights.js';
import { SyncClock } from './sync-clock.js';
import { SyncCycle } from './cycle.js';
import { isWeight } from './tracked.js';
import { Tracking } from './tracking.js';

export class LookaheadSync {
  readonly #inner: InnerOptimizer;
  readonly #settings: LookaheadSettings;
  readonly #guard: CallGuard;
  readonly #blender: Blender;
  readonly #store: Omit<SlowStoreOptions, 'format'>;
  readonly #clock = new SyncClock();
  readonly #stepSizes: StepSizes;
  #tracking: Tracking;
  #cycle: SyncCycle;
  #bytesMoved = 0;
  #skipped = 0;

  constructor(inner: InnerOptimizer, settings: LookaheadSettings, guard: CallGuard) {
    this.#inner = inner;
    this.#settings = settings;
    this.#guard = guard;
    this.#cycle = new SyncCycle(settings.syncPeriod);
    this.#stepSizes = new StepSizes(inner, settings.slowStepSize);
    const { chunkBytes, workerTimeoutMs: timeoutMs, workerFile } = settings;
    const workers = settings.workers ?? defaultWorkers();
    this.#blender = createBlender({ workers, timeoutMs, ...(workerFile && { workerFile }) });
    const slots = workers + 2; // one for each worker, one being pulled, one being pushed
    this.#store = { chunkBytes, slots, blender: this.#blender, clock: this.#clock };
    this.#tracking = this.#track();
  }

  get steps(): number {
    return this.#cycle.steps;
  }

  /** True if `flush` has to be awaited before the next step; `syncDue`: if it will change weights. */
  get due(): boolean {
    return this.#inner.due === true || this.syncDue;
  }

  get syncDue(): boolean {
    return this.#cycle.isDue;
  }

  /** Captures those of `weights` that are new. */
  async attach(weights: readonly tf.Variable[]): Promise<void> {
    if (this.#tracking.add(weights).length > 0) this.#cycle.join();
    await this.#capture();
  }

  /** `weights` are about to be updated. What was not captured waits for `flush`. */
  stepping(weights: readonly tf.Variable[]): void {
    if (this.#tracking.stepping(weights).length > 0) this.#cycle.join();
  }

  /** An inner step was applied, or a micro-batch of one. */
  stepped(): void {
    if (this.#inner.isAccumulating !== true) this.#cycle.step();
  }

  /** The step of the micro-batches so far. */
  completeStep(): boolean {
    const isOpen = this.#inner.isAccumulating === true;
    if (isOpen && this.#cycle.isEnding) this.#stepSizes.refuseEnd('completeStep');
    if (this.#inner.completeStep?.() !== true) return false;
    this.stepped();
    return true;
  }

  /** For adaptive(): `compute` evaluates the loss and its gradients at the weights as they are now. */
  keepGradientsIfNeeded(compute: () => { value: tf.Scalar; grads: tf.NamedTensorMap }): void {
    if (this.#cycle.isDue) this.#stepSizes.keepGradientsIfNeeded(compute);
  }

  /** Captures, and syncs what is due. */
  async flush(): Promise<void> {
    await this.#capture();
    await this.#inner.flush?.();
    if (this.#cycle.isDue) await this.#clock.timeSync(() => this.#sync());
    else await this.#tracking.slow.yield();
  }

  /** Syncs in mid-cycle, if a step was taken since the last sync. */
  async syncEarly(): Promise<void> {
    if (this.#cycle.hasMoved) await this.#clock.timeSync(() => this.#sync());
  }

  /** Slow := fast, and a new cycle. */
  async recapture(): Promise<void> {
    await this.#tracking.addSlots();
    const bad = await firstNonFinite(this.#tracking.live().map(({ variable }) => variable));
    if (bad) {
      throw nonFinite(
        bad.name,
        this.steps,
        'resync() would make it a slow weight; discard() goes back to the slow weights',
      );
    }
    await this.#guard.attempt(async () => {
      await this.#tracking.recapture(this.steps);
      this.#tracking.startOver();
      this.#inner.abandonStep?.();
      this.#cycle.restart();
      this.#stepSizes.dropGradients();
    });
  }

  /** Fast := slow, and a new cycle. */
  async restore(): Promise<void> {
    this.#assertMet();
    await this.#capture();
    await this.#tracking.addSlots();
    await this.#guard.attempt(async () => {
      await this.#tracking.slow.restore(() => true);
      this.#inner.abandonStep?.();
      this.#cycle.restart();
      this.#stepSizes.dropGradients();
    });
  }

  /** Fast := slow; an inner state that would bring non-finite weights back starts afresh. */
  async discard(): Promise<void> {
    await this.restore();
    if (!this.#inner.supportsState) return;
    if (await hasBadSlot(this.#inner)) await this.#resetInner();
  }

  /** Shows the slow weights in the model; slots and counters stay. Resolves to what undoes it. */
  async showSlow(): Promise<() => Promise<void>> {
    this.#assertMet();
    const stash = new Stash();
    const putBack = () => stash.putBack(currentDevice());
    const shown = this.#tracking.live(isWeight).map(({ variable }) => variable);
    await stash.take(shown, currentDevice());
    try {
      await this.#tracking.slow.restore(isWeight);
    } catch (cause) {
      await this.#guard.attempt(putBack);
      throw cause;
    }
    return putBack;
  }

  /** Stops the workers until the next sync. */
  async stopWorkers(): Promise<void> {
    await this.#blender.close();
  }

  dispose(): void {
    this.#tracking.dispose();
    this.#tracking = this.#track();
    this.#stepSizes.dropGradients();
    this.#inner.dispose();
    void this.#blender.close();
  }

  stats(): LookaheadStats {
    const { slow } = this.#tracking;
    return {
      steps: this.#cycle.steps,
      syncs: this.#cycle.syncs,
      skippedSyncs: this.#skipped,
      syncMs: this.#clock.times,
      bytesPulled: this.#bytesMoved,
      bytesPushed: this.#bytesMoved,
      host: { slowBytes: slow.bytes.slow, stagingBytes: slow.bytes.staging },
      device: { stagingBytes: slow.bytes.device },
      keptInF32: this.#tracking.live((tracked) => slow.isKeptInF32(tracked)).length,
      workers: slow.description ?? this.#blender.description,
    };
  }

  async save(): Promise<{ counters: number[]; slow: SavedSlow[] }> {
    return { counters: this.#cycle.save(), slow: await this.#tracking.save() };
  }

  /** Replaces everything; weights claim their slow values when they are next seen. */
  load(counters: readonly number[], slow: readonly SavedSlow[]): void {
    const cycle = new SyncCycle(this.#settings.syncPeriod);
    cycle.load(counters);
    this.#cycle = cycle;
    this.#tracking.dispose();
    this.#tracking = this.#track(slow);
    this.#stepSizes.dropGradients();
  }

  async #sync(): Promise<void> {
    const { slow } = this.#tracking;
    await this.#clock.time('wait', () => slow.ready());
    await this.#tracking.addSlots();
    // All that can refuse comes first: until the weights are moved, nothing has changed.
    if (!(await this.#clock.time('check', () => this.#mayBlend()))) return;
    const stepSizes = await this.#stepSizes.of(
      this.#tracking.live(),
      (isMeant) => slow.parts(isMeant),
      this.#cycle.syncs,
    );
    const blending = slow.blend({
      stepSizeOf: (tracked) => stepSizes.get(tracked) ?? 0,
      round: this.steps,
    });
    await this.#guard.attempt(async () => {
      const bytesMoved = await blending.run();
      if (this.#settings.innerState === 'reset') {
        await this.#inner.reset(this.#tracking.live(isWeight).map(({ weight }) => weight));
      }
      this.#bytesMoved += bytesMoved;
      this.#cycle.synced();
      this.#stepSizes.dropGradients();
    });
  }

  /** False if the policy for non-finite weights has dealt with this sync. */
  async #mayBlend(): Promise<boolean> {
    const bad =
      (await this.#tracking.slow.inspect(this.#tracking.live()))?.variable.name ??
      (await this.#stepSizes.nonFiniteGradient());
    if (bad === undefined) return true;
    const policy = this.#settings.nonFinite;
    if (policy === 'throw') {
      throw nonFinite(
        bad,
        this.steps,
        "The slow weights are as they were: discard() goes back to them, a smaller learning rate may help, and nonFinite: 'restore' or 'skip' does without this error",
      );
    }
    this.#skipped++;
    if (policy === 'skip') {
      this.#cycle.restart();
      this.#stepSizes.dropGradients();
      return false;
    }
    await this.restore();
    await this.#resetInner();
    return false;
  }

  /** A fresh inner state, for the slow values of its slots too. */
  async #resetInner(): Promise<void> {
    await this.#inner.reset();
    await this.#tracking.recapture(this.steps, (tracked) => !isWeight(tracked));
  }

  async #capture(): Promise<void> {
    if (this.#tracking.needsCapture)
      await this.#guard.attempt(() => this.#tracking.capture(this.steps));
  }

  #track(restored?: readonly SavedSlow[]): Tracking {
    const makeStore = () => makeSlowStore({ ...this.#store, format: this.#settings.slow });
    return new Tracking(this.#inner, this.#settings, makeStore, restored);
  }

  /** Slow weights that have not met their weights cannot be shown. */
  #assertMet(): void {
    if (!this.#tracking.isWaiting) return;
    throw new SlowlaneError(
      'STATE_MISMATCH',
      'The restored slow weights do not know yet which weights they belong to. Call await optimizer.attach(model), or attach(weights), first.',
    );
  }
}
