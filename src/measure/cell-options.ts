// What `bench memory` and `bench speed` train, policy by policy, and where.

import type { BenchEngine } from './policies.js';
import type { WorkloadName } from './workloads.js';

export interface CellOptions {
  readonly engine: BenchEngine;
  readonly model: WorkloadName;
  /** These of the stack; null for another model. */
  readonly layers: number | null;
  readonly width: number | null;
  readonly batch: number;
  /** Of `bench speed` those of one repeat, a multiple of `syncPeriod`. */
  readonly steps: number;
  readonly syncPeriod: number;
  /** Of one cell. */
  readonly cellTimeoutMs: number;
  /** Names, in the order of the cells. */
  readonly policies: readonly string[];
  /** Part of the WebGPU adapter's name; null: the fast one, or no WebGPU. */
  readonly adapter: string | null;
}
