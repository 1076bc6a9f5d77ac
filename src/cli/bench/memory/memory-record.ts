// What `bench memory` measures, as it is written.

import type { Breakdown } from '../../../engine/categories.js';
import type { CellOptions } from '../../../measure/cell-options.js';
import type { Failure, Nullable } from '../../../measure/failure.js';
import type { PeakBytes } from '../../../measure/peak-bytes.js';
import type { DriverBytes } from '../../../measure/driver-meter.js';
import type { BenchRecord } from '../../../measure/record.js';

export type MemoryOptions = CellOptions;

/** What the process of a cell counts itself; the driver is asked from outside. */
export interface MemoryCounts extends PeakBytes {
  readonly parameters: number;
  /** What the buffers were for when `allocatorBytes` was reached; null for tfjs and without WebGPU: they do not tell. */
  readonly atPeak: Breakdown | null;
  /** The most for each purpose while it trained, each at a time of its own: no sum. */
  readonly highest: Breakdown | null;
  /** Before each step. */
  readonly losses: readonly number[];
}

/** Counts are null if it did not end well. */
export interface MemoryCell extends Nullable<MemoryCounts> {
  readonly policy: string;
  readonly status: 'done' | 'failed' | 'stopped';
  /** Of the whole process. */
  readonly wallMs: number;
  /** Null without WebGPU, as `allocatorBytes`. */
  readonly allocatorBytesPerParameter: number | null;
  readonly logicalBytesPerParameter: number | null;
  /** As nvidia-smi tells; `unknown` without it. */
  readonly driver: DriverBytes;
  readonly failure: Failure | null;
}

export type MemoryRecord = BenchRecord<'memory', MemoryOptions, MemoryCell>;
