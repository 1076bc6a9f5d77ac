// What `bench fit` measures, as it is written.

import type { Failure } from '../../../measure/failure.js';
import type { BenchRecord } from '../../../measure/record.js';

export interface FitOptions {
  readonly vramBytes: number;
  readonly width: number;
  readonly batch: number;
  readonly steps: number;
  readonly syncPeriod: number;
  readonly maxLayers: number;
  /** Of one try. */
  readonly tryTimeoutMs: number;
  /** Names, in the order of the cells. */
  readonly policies: readonly string[];
  /** Part of the adapter's name; null: the fast one. */
  readonly adapter: string | null;
}

/** A stack that trained. */
export interface Trained {
  /** Highest sum of all buffers on the device, free ones and those for transfers too. */
  readonly peakBytes: number;
  /** Slow weights, and moments if they wait there, in host memory that the device can reach. */
  readonly hostBytes: number;
  /** Before each step. */
  readonly losses: readonly number[];
}

/** `over budget` is the only end that says no; `failed` and `stopped` say nothing about the size. */
export type TryOutcome = 'fits' | 'over budget' | 'failed' | 'stopped';

export interface FitTry {
  readonly layers: number;
  readonly outcome: TryOutcome;
  /** Of the whole process. */
  readonly wallMs: number;
  readonly peakBytes: number | null;
  /** Why it did not fit, or failed. */
  readonly reason: string | null;
}

export interface FitCell {
  readonly policy: string;
  readonly status: 'done' | 'failed' | 'stopped';
  /** The most that trained; 0: none did. */
  readonly layers: number;
  /** One layer more was tried and is over the budget. False: at least so many fit. */
  readonly isLargest: boolean;
  readonly parameters: number;
  /** These of the largest stack; null if none trained. */
  readonly peakBytes: number | null;
  readonly hostBytes: number | null;
  readonly bytesPerParameter: number | null;
  readonly losses: readonly number[] | null;
  /** Layers, by the planner; null where it knows nothing. */
  readonly estimate: number | null;
  readonly tries: readonly FitTry[];
  /** What ended the search before its time. */
  readonly failure: Failure | null;
}

export type FitRecord = BenchRecord<'fit', FitOptions, FitCell>;
