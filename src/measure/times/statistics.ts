// Numbers of a list of times.

import type { Spread } from '../record-parts.js';

/** Null for an empty list. */
export function spreadOf(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const last = sorted.length - 1;
  return {
    count: sorted.length,
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    median: ((sorted[last >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2,
    p95: sorted[Math.ceil(0.95 * sorted.length) - 1] ?? NaN, // the nearest rank: a time that was measured
    min: sorted[0] ?? NaN,
    max: sorted[last] ?? NaN,
  };
}
