// Numbers of a Lookahead's life so far.

import type { SyncTimes } from './sync/sync-clock.js';

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
  /** Where blends run: `'1 worker'`, `'inline'`. */
  readonly workers: string;
}
