// What `stats()` returns, and the clock of its times.

import { duringSync } from '../meter/meter.js';
import type { StoreClock, StorePhase } from '../slow/slow-store.js';

/** Phases of a sync: what the main thread did, or waited for. */
export type SyncPhase = 'check' | StorePhase;

/** Where the time of syncs goes, in milliseconds, as the main thread sees it. */
export interface SyncTimes {
  /** Milliseconds of all syncs. */
  readonly total: number;
  /** Milliseconds of the most recent sync. */
  readonly last: number;
  /** Milliseconds of looking for non-finite weights. A device that runs behind finishes its steps first. */
  readonly check: number;
  /**
   * Milliseconds of waiting for slow weights in transfer: those of the previous sync, and pieces of this one (device blends).
   */
  readonly wait: number;
  /** Milliseconds of copying from the device. */
  readonly pull: number;
  /** Milliseconds of waiting for blends, or of recording them where the device blends. */
  readonly blend: number;
  /** Milliseconds of copying to the device, or to where it copies from. */
  readonly push: number;
  /** Milliseconds of copying downloaded slow weights on the host, beside the sync and the steps (device blends). Not in `total`. */
  readonly readback: number;
}

/** Numbers of a Lookahead so far. */
export interface LookaheadStats {
  /** Inner steps that were applied. */
  readonly steps: number;
  /** Syncs that were done. */
  readonly syncs: number;
  /** Syncs that nonFinite: 'skip' or 'restore' left out. */
  readonly skippedSyncs: number;
  /** Milliseconds, as the main thread sees them. */
  readonly syncMs: SyncTimes;
  /** Bytes that syncs copied from the device. */
  readonly bytesPulled: number;
  /** Bytes that syncs copied to the device. */
  readonly bytesPushed: number;
  /** Bytes of host memory: those of the slow weights, and those that transfers pass through. */
  readonly host: {
    /** Bytes of the slow weights. */
    readonly slowBytes: number;
    /** Bytes that transfers pass through. */
    readonly stagingBytes: number;
  };
  /** Device memory of a sync while it runs. */
  readonly device: {
    /** At most, in bytes. */
    readonly stagingBytes: number;
  };
  /** Weights that outgrew the format of their slow values and are kept in float32. */
  readonly keptInF32: number;
  /** Where blends run: `'1 worker'`, `'inline'`, `'device'`; two places are joined by ' and '. */
  readonly workers: string;
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

  /** The same for a sync that waits for nothing. */
  timeAtOnce(work: () => void): void {
    const start = performance.now();
    try {
      work();
    } finally {
      this.#last = performance.now() - start;
      this.#total += this.#last;
    }
  }

  get times(): SyncTimes {
    return { total: this.#total, last: this.#last, ...this.#phases };
  }
}
