// Where the time of syncs goes, as the main thread sees it.

import { duringSync } from '../meter/meter.js';
import type { StoreClock, StorePhase } from '../slow/slow-store.js';

/** Phases of a sync: what the main thread did, or waited for. */
export type SyncPhase = 'check' | StorePhase;

export interface SyncTimes {
  /** Milliseconds of all syncs. */
  readonly total: number;
  /** Milliseconds of the last sync. */
  readonly last: number;
  /** Looking for non-finite weights. A device that runs behind finishes its steps first. */
  readonly check: number;
  /** Waiting for slow weights that were still on their way from the sync before (device blends). */
  readonly wait: number;
  /** Copying from the device. */
  readonly pull: number;
  /** Waiting for blends that were not done yet; recording them, where the device blends. */
  readonly blend: number;
  /** Copying to the device. */
  readonly push: number;
  /** Bringing downloaded slow weights back into place between syncs (device blends). Not in `total`. */
  readonly readback: number;
}

export class SyncClock implements StoreClock {
  #total = 0;
  #last = 0;
  readonly #phases: Record<SyncPhase, number> = {
    check: 0,
    wait: 0,
    pull: 0,
    blend: 0,
    push: 0,
    readback: 0,
  };

  /** Runs `work` and adds its time to `phase`. */
  async time<T>(phase: SyncPhase, work: () => T | Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.add(phase, performance.now() - start);
    }
  }

  add(phase: SyncPhase, elapsedMs: number): void {
    this.#phases[phase] += elapsedMs;
  }

  /** Runs one whole sync. */
  async timeSync(work: () => Promise<void>): Promise<void> {
    const start = performance.now();
    try {
      await duringSync(work);
    } finally {
      this.#last = performance.now() - start;
      this.#total += this.#last;
    }
  }

  get times(): SyncTimes {
    return { total: this.#total, last: this.#last, ...this.#phases };
  }
}
