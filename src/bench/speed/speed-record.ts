// What `bench speed` measures, as it is written. Raw times first; the others are made from them.

import type { CellOptions } from '../cell-options.js';
import type { Failure } from '../failure.js';
import type { BenchRecord } from '../record.js';
import type { Spread } from '../statistics.js';
import type { StepTimes } from '../timed-steps.js';

export interface SpeedOptions extends CellOptions {
  readonly repeats: number;
}

/** Where the main thread's time in the measured syncs went, together. */
export interface SyncCosts {
  readonly syncs: number;
  /** Milliseconds; but for `turnAround`, which is between syncs, parts of `total`. */
  readonly total: number;
  readonly check: number;
  readonly wait: number;
  readonly pull: number;
  readonly blend: number;
  readonly push: number;
  readonly turnAround: number;
  /** Over the bus. */
  readonly bytesPulled: number;
  readonly bytesPushed: number;
}

export interface SpeedTimes {
  readonly parameters: number;
  /** A list for each repeat, each step waited for; every `syncPeriod`th is a sync step. */
  readonly stepTimesMs: StepTimes;
  /** Null without slowlane's Lookahead. */
  readonly sync: SyncCosts | null;
}

type Nullable<T> = { readonly [K in keyof T]: T[K] | null };

/** Times are null if it did not end well. */
export interface SpeedCell extends Nullable<SpeedTimes> {
  readonly policy: string;
  readonly status: 'done' | 'failed' | 'stopped';
  /** Of the whole process. */
  readonly wallMs: number;
  /** Mean step of each repeat: over whole cycles, what a step costs in the long run. */
  readonly cycleMs: Spread | null;
  /** Steps that end no cycle; null where each ends one. */
  readonly stepMs: Spread | null;
  /** Steps that end one, with the sync where there is Lookahead. */
  readonly syncStepMs: Spread | null;
  readonly failure: Failure | null;
}

export type SpeedRecord = BenchRecord<'speed', SpeedOptions, SpeedCell>;
