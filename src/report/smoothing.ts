// The loss of single batches jumps, so people read a mean: of the losses before while training runs, of the losses
// around afterwards.

/** Share of the running mean that is kept at each point. */
const KEPT = 0.95;

/** The running mean after `value`. For the first value `before` is NaN. */
export function smoothed(before: number, value: number): number {
  return Number.isFinite(before) ? KEPT * before + (1 - KEPT) * value : value;
}

/** The window reaches at most this far to either side. */
const MAX_REACH = 10;

/**
 * For each value the mean of those around it. Nulls are left out and stay null. Short curves get a small window. At the
 * start, where a loss is steep, the window shrinks so that it stays symmetric.
 */
export function centeredMeans(values: readonly (number | null)[]): (number | null)[] {
  const widest = Math.min(MAX_REACH, Math.ceil(values.length / 40));
  return values.map((value, at) => {
    if (value === null) return null;
    const reach = Math.min(widest, at);
    const around = values.slice(at - reach, at + reach + 1).filter((near) => near !== null);
    return around.reduce((sum, near) => sum + near, 0) / around.length;
  });
}
