// How long the rest takes, where that can be said: tries of the policies that are left, by the planner's
// estimates and by how long tries have taken so far.

import type { FitTry } from './fit-record.js';

/** Of a good estimate: it fits, and one more does not. */
const USUAL_TRIES = 2;

/** Layers of the tries to come; null for a policy without an estimate. */
export interface Rest {
  readonly estimate: number | null;
  readonly triesDone: number;
}

/** Milliseconds; null while there is nothing to go by. */
export function timeLeftMs(tries: readonly FitTry[], rest: readonly Rest[]): number | null {
  const msOf = timesByLayers(tries.filter(({ outcome }) => outcome === 'fits'));
  if (msOf === null) return null;
  let totalMs = 0;
  for (const { estimate, triesDone } of rest) {
    if (estimate === null) return null;
    totalMs += Math.max(1, USUAL_TRIES - triesDone) * msOf(estimate);
  }
  return totalMs;
}

/** A straight line through what was measured: starting a process, and so much a layer. */
function timesByLayers(tries: readonly FitTry[]): ((layers: number) => number) | null {
  const meanOf = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const layers = meanOf(tries.map((one) => one.layers));
  const ms = meanOf(tries.map(({ wallMs }) => wallMs));
  const spread = meanOf(tries.map((one) => (one.layers - layers) ** 2));
  if (!(spread > 0)) return null; // none, or all of one size
  const slope = meanOf(tries.map((one) => (one.layers - layers) * (one.wallMs - ms))) / spread;
  if (slope <= 0) return null;
  return (count) => Math.max(0, ms + slope * (count - layers));
}
