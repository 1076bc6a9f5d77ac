// What `bench sync` measures, as it is written. Raw times first; the others are made from them.
//
// One cell for each place of slow weights, in a process of its own: warm-up cycles, then `repeats` cycles of
// `syncPeriod` steps, each waited for, so that the device has nothing to do when the sync begins. Afterwards, where
// slow weights are on the host and the engine is WebGPU's, the bus alone: as many rounds, of pieces of the very sizes
// that the sync moved, up and down, by the device's own copies. The bytes of both are the same, so the share of the
// bus is the ratio of the times.

import type { CellOptions } from '../../../measure/cell-options.js';
import type { Failure, Nullable } from '../../../measure/failure.js';
import type { BenchRecord } from '../../../measure/record.js';
import type { SlowPlace } from '../../../measure/slow-places.js';
import type { Spread } from '../../../measure/statistics.js';
import type { SyncSpreads } from '../../../measure/sync-costs.js';
import type { SyncTimes } from '../../../measure/timed-syncs.js';

export interface SyncOptions extends Pick<
  CellOptions,
  'engine' | 'model' | 'layers' | 'width' | 'batch' | 'syncPeriod' | 'cellTimeoutMs' | 'adapter'
> {
  /** Measured syncs of a cell, and rounds of the bus. */
  readonly repeats: number;
  /** In the order of the cells. */
  readonly slow: readonly SlowPlace[];
}

/** The bus at best, in the process of the cell. */
export interface BusTimes {
  readonly pieces: number;
  /** Of the largest. */
  readonly pieceBytes: number;
  /** Left out of `roundMs`: page faults. */
  readonly firstMs: number;
  readonly roundMs: readonly number[];
}

export interface SyncMeasured {
  readonly parameters: number;
  /** Copied in a sync: up and down, on WebGPU with what aligns the pieces. 0 on the device. */
  readonly bytes: number;
  /** Syncs before, until done: pipelines and page faults. */
  readonly warmUpMs: readonly number[];
  readonly times: SyncTimes;
  /** Null where nothing goes over the bus, and without WebGPU, where nothing measures it. */
  readonly bus: BusTimes | null;
}

/** Null if it did not end well. */
export interface SyncCell extends Nullable<SyncMeasured> {
  readonly slow: SlowPlace;
  readonly status: 'done' | 'failed' | 'stopped';
  /** Of the whole process. */
  readonly wallMs: number;
  readonly callMs: Spread | null;
  readonly doneMs: Spread | null;
  /** Null without slowlane's Lookahead too. */
  readonly partsMs: SyncSpreads | null;
  /** By the medians: `bytes` over the time until the sync is done; null where nothing is copied. */
  readonly bytesPerSecond: number | null;
  /** The same of a round of the bus. */
  readonly busBytesPerSecond: number | null;
  /** Their ratio: 1 is a sync that takes no longer than its copies. */
  readonly shareOfBus: number | null;
  readonly failure: Failure | null;
}

export type SyncRecord = BenchRecord<'sync', SyncOptions, SyncCell>;
