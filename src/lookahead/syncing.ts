// The syncs of a Lookahead: one sync from the check for NaN to the next cycle, and everything else that makes fast
// and slow weights meet. The guard (call-guard.ts) lets one of these calls run at a time.

import type * as tf from '@tensorflow/tfjs-core';

import { createBlender, defaultWorkers } from '#worker-blender';

import { SlowlaneError } from '../checks/errors.js';
import { currentDevice } from '../engines/current-device.js';
import { firstNonFinite } from '../engines/finite.js';
import type { InnerOptimizer } from '../optimizers/inner-optimizer.js';
import type { Blender } from '../sync/blender.js';
import { StoreByPlace } from '../sync/store-by-place.js';
import type { CallGuard } from './call-guard.js';
import { CycleState } from './cycle-state.js';
import type { LookaheadSettings } from './options.js';
import { Stash } from './stash.js';
import { type LookaheadStats, SyncClock } from './stats.js';
import { isWeight, type Tracked } from './tracking.js';

export class Syncing {
  readonly state: CycleState;
  readonly #inner: InnerOptimizer;
  readonly #settings: LookaheadSettings;
  readonly #guard: CallGuard;
  readonly #blender: Blender;
  readonly #clock = new SyncClock();
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
  }

  /** Captures those of `weights` that are new. */
  async attach(weights: readonly tf.Variable[]): Promise<void> {
    this.state.add(weights);
    await this.#capture();
  }

  /** Captures, and syncs if a sync is due. */
  async flush(): Promise<void> {
    await this.#capture();
    await this.#inner.flush?.();
    if (this.state.cycle.isDue) await this.#clock.timeSync(() => this.#sync());
    else await this.state.tracking.store.yield();
  }

  /** Syncs in mid-cycle, if a step was taken since the last sync. */
  async syncEarly(): Promise<void> {
    if (this.state.cycle.hasMoved) await this.#clock.timeSync(() => this.#sync());
  }

  /** Slow := fast, and a new cycle. */
  async recapture(): Promise<void> {
    const { tracking, cycle } = this.state;
    const { steps } = cycle;
    await tracking.addSlots();
    const bad = await firstNonFinite(tracking.live().map(({ variable }) => variable));
    if (bad) {
      throw nonFinite(
        bad.name,
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

  /** Fast := slow, and a new cycle. */
  async restore(): Promise<void> {
    this.#assertMet();
    await this.#capture();
    const { tracking } = this.state;
    await tracking.addSlots();
    await this.#guard.attempt(async () => {
      await tracking.store.restore(() => true);
      this.state.restart();
    });
  }

  /** Fast := slow; an inner state that would bring non-finite weights back starts afresh. */
  async discard(): Promise<void> {
    await this.restore();
    if (this.#inner.supportsState && (await hasBadState(this.#inner))) await this.#resetInner();
  }

  /** Shows the slow weights in the model; slots and counters stay. Resolves to what undoes it. */
  async showSlow(): Promise<() => Promise<void>> {
    this.#assertMet();
    const { tracking } = this.state;
    const stash = new Stash();
    const putBack = () => stash.putBack(currentDevice());
    const shown = tracking.live(isWeight).map(({ variable }) => variable);
    await stash.take(shown, currentDevice());
    try {
      await tracking.store.restore(isWeight);
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
    // Everything that can refuse the sync comes first: until the weights are moved, nothing has changed.
    if (!(await this.#clock.time('check', () => this.#mayBlend()))) return;
    const byWeight = await stepSizes.of(tracking.live(), store, cycle.syncs);
    const stepSizeOf = (tracked: Tracked) => byWeight.get(tracked) ?? 0;
    const blending = store.blend({ stepSizeOf, round: cycle.steps });
    await this.#guard.attempt(async () => {
      const bytesMoved = await blending.run();
      if (this.#settings.innerState === 'reset') {
        await this.#inner.reset(tracking.live(isWeight).map(({ weight }) => weight));
      }
      this.#bytesMoved += bytesMoved;
      this.state.synced();
    });
  }

  /** False if the policy for non-finite weights has dealt with this sync. */
  async #mayBlend(): Promise<boolean> {
    const { tracking, stepSizes, cycle } = this.state;
    const bad =
      (await tracking.store.inspect(tracking.live()))?.variable.name ??
      (await stepSizes.nonFiniteGradient());
    if (bad === undefined) return true;
    const policy = this.#settings.nonFinite;
    if (policy === 'throw') {
      throw nonFinite(
        bad,
        cycle.steps,
        "The slow weights are as they were: discard() goes back to them, a smaller learning rate may help, and nonFinite: 'restore' or 'skip' does without this error",
      );
    }
    this.#skipped++;
    if (policy === 'skip') {
      this.state.skipped();
      return false;
    }
    await this.restore();
    await this.#resetInner();
    return false;
  }

  /** A fresh inner state, for the slow values of its slots too. */
  async #resetInner(): Promise<void> {
    await this.#inner.reset();
    const { tracking, cycle } = this.state;
    await tracking.recapture(cycle.steps, (tracked) => !isWeight(tracked));
  }

  async #capture(): Promise<void> {
    const { tracking, cycle } = this.state;
    if (tracking.needsCapture) await this.#guard.attempt(() => tracking.capture(cycle.steps));
  }

  /** Slow weights that have not met their weights cannot be shown. */
  #assertMet(): void {
    if (!this.state.tracking.isWaiting) return;
    throw new SlowlaneError(
      'STATE_MISMATCH',
      'The restored slow weights do not know yet which weights they belong to. Call await optimizer.attach(model), or attach(weights), first.',
    );
  }
}

function nonFinite(name: string, step: number, consequence: string): SlowlaneError {
  return new SlowlaneError(
    'NON_FINITE',
    `'${name}' holds a NaN or an infinity after step ${step}. ${consequence}.`,
    { weight: name, step },
  );
}

/** True if the inner state holds a NaN or an infinity, or if reading it throws because a failing device spoilt it. */
async function hasBadState(inner: InnerOptimizer): Promise<boolean> {
  const state = await inner.state();
  try {
    if (await inner.hasBadState?.()) return true;
    return (await firstNonFinite(state.map(({ variable }) => variable))) !== null;
  } catch {
    return true;
  }
}
