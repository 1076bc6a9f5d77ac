// Numbers of a Lookahead's life so far.

import type { SyncTimes } from './sync-clock.js';

export interface LookaheadStats {
  /** Inner steps that were applied. */
  readonly steps: number;
  readonly syncs: number;
  /** Syncs that nonFinite: 'skip' or 'restore' left out. */
  readonly skippedSyncs: number;
  /** Milliseconds, as the main thread sees them. */
  readonly syncMs: SyncTimes;
  /** Bytes that syncs copied from the device. */
  readonly bytesPulled: number;
  /** Bytes that syncs copied to the device. */
  readonly bytesPushed: number;
  /** Bytes of host memory. */
  readonly host: { readonly slowBytes: number; readonly stagingBytes: number };
  /** Bytes that a sync takes on the device while it runs, at most. */
  readonly device: { readonly stagingBytes: number };
  /** Weights too large for the format of the slow weights, which are kept in float32 since. */
  readonly keptInF32: number;
  /** Where blends run: `'1 worker'`, `'inline'`, `'device'`. */
  readonly workers: string;
}
