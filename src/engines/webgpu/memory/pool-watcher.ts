// What a buffer pool tells whoever meters it.

import type { Place } from '../../../engine/categories.js';

export interface PoolWatcher {
  /** A buffer moves next, or may: `takes` if it is one to use. */
  before(takes: boolean): void;
  /** `buffer`, as the pool has it listed, left `from` for `to`. */
  moved(buffer: GPUBuffer, from: Place, to: Place): void;
}

/** Costs calls of nothing. */
export const NOBODY: PoolWatcher = { before() {}, moved() {} };
