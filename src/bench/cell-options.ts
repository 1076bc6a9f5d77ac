// The stack that `bench memory` and `bench speed` train, policy by policy.

export interface CellOptions {
  readonly layers: number;
  readonly width: number;
  readonly batch: number;
  /** Of `bench speed` those of one repeat, a multiple of `syncPeriod`. */
  readonly steps: number;
  readonly syncPeriod: number;
  /** Of one cell. */
  readonly cellTimeoutMs: number;
  /** Names, in the order of the cells. */
  readonly policies: readonly string[];
  /** Part of the adapter's name; null: the fast one. */
  readonly adapter: string | null;
}
