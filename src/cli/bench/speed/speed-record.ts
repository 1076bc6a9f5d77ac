// What `bench speed` measures, as it is written. Raw times first; the others are made from them.

import type { SlowFormat } from '../../../slow/slow-format.js';
import type { CellOptions } from '../../../measure/cell-options.js';
import type { Failure, Nullable } from '../../../measure/failure.js';
import type { PeakBytes } from '../../../measure/peak-bytes.js';
import type { DriverBytes } from '../../../measure/driver-meter.js';
import type { BenchRecord } from '../../../measure/record.js';
import type { Spread } from '../../../measure/statistics.js';
import type { SyncCost, SyncSpreads } from '../../../measure/sync-costs.js';
import type { StepTimes } from '../../../measure/timed-steps.js';

export interface SpeedOptions extends CellOptions {
  /** Of the policies with slowlane's Lookahead. */
  readonly slow: SlowFormat;
  readonly repeats: number;
}

export interface SpeedTimes extends PeakBytes {
  readonly parameters: number;
  /** A list for each repeat, each step waited for; every `syncPeriod`th is a sync step. */
  readonly stepTimesMs: StepTimes;
  /** Of each measured sync, in their order; null without slowlane's Lookahead. */
  readonly syncs: readonly SyncCost[] | null;
}

/** Null if it did not end well. */
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
  /** Parts of a sync on the main thread. */
  readonly syncMs: SyncSpreads | null;
  /** Null without WebGPU, as `allocatorBytes`. */
  readonly allocatorBytesPerParameter: number | null;
  readonly logicalBytesPerParameter: number | null;
  /** As nvidia-smi tells, before any time is taken; `unknown` without it. */
  readonly driver: DriverBytes;
  readonly failure: Failure | null;
}

export type SpeedRecord = BenchRecord<'speed', SpeedOptions, SpeedCell>;
