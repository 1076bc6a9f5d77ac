// What is measured, as it is written to the JSON file. Raw values first; a summary is made from them.

import type { Failure } from '../../src/measure/failure.js';
import type { AdapterRecord, MachineRecord } from '../../src/measure/machine.js';
import type { DriverBytes, Phase, PhasePeaks } from '../../src/measure/peaks.js';
import type { LookaheadStats } from '../../src/lookahead/stats.js';
import type { CellSummary } from './summary.js';
import type { Verdict } from './verdict.js';

export const SCHEMA = 'slowlane-gpu-bench';
export const SCHEMA_VERSION = 1;

/** Size and length of all cells of one run; what a child process is told. */
export interface CellOptions {
  readonly layers: number;
  readonly width: number;
  readonly batch: number;
  /** Of one repeat; a multiple of `syncPeriod`. */
  readonly steps: number;
  readonly repeats: number;
  readonly syncPeriod: number;
  /** Part of the adapter's name; undefined: the fast one. */
  readonly adapter?: string | undefined;
}

interface Measured {
  readonly parameters: number;
  readonly peaks: PhasePeaks;
  /** Buffers at the end: counted by us, and as the backend counts its own (null without a backend). */
  readonly buffersAtEnd: { readonly countedBytes: number; readonly backendBytes: number | null };
  readonly host: { readonly rssBytes: number; readonly peakRssBytes: number };
  readonly lookahead: LookaheadStats | null;
}

export interface TrainingValues extends Measured {
  readonly kind: 'training';
  readonly learningRate: number;
  /** Before each of the first steps. */
  readonly losses: readonly number[];
  /** Each step with its loss read back; the first sync is the `syncPeriod`th. */
  readonly warmUpMs: readonly number[];
  /** A list for each repeat, each step waited for; every `syncPeriod`th is a sync step. */
  readonly awaitedMs: readonly (readonly number[])[];
  /** Of each repeat as a whole: `steps` steps, waited for once. */
  readonly unsynchronisedMs: readonly number[];
  /** In the awaited phase. */
  readonly eventLoopDelayMs: { readonly max: number; readonly mean: number };
}

/** One thing done again and again. */
export interface Series {
  readonly name: string;
  /** Read and written by one round. */
  readonly bytes: number;
  readonly ms: readonly number[];
  /** Left out of `ms`: page faults, pipelines. */
  readonly firstMs: number;
}

export interface ReferenceValues extends Measured {
  readonly kind: 'reference';
  readonly series: readonly Series[];
}

export type CellValues = TrainingValues | ReferenceValues;

export type CellOutcome =
  | { readonly status: 'ok'; readonly values: CellValues; readonly summary: CellSummary }
  | { readonly status: 'failed'; readonly failure: Failure; readonly phase: Phase | null };

export type CellRecord = CellOutcome & {
  readonly name: string;
  readonly wallMs: number;
  readonly driver: DriverBytes;
};

export interface BenchRecord {
  readonly schema: typeof SCHEMA;
  readonly schemaVersion: typeof SCHEMA_VERSION;
  readonly startedAt: string;
  readonly endedAt: string;
  /** True if the run was interrupted, or is still going on: some cells are missing. */
  readonly partial: boolean;
  readonly machine: MachineRecord<AdapterRecord>;
  readonly options: CellOptions;
  readonly cells: readonly CellRecord[];
  readonly verdicts: readonly Verdict[];
}
