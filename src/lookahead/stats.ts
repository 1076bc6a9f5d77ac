// What `stats()` returns.

import type { SyncTimes } from './sync-clock.js';

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
