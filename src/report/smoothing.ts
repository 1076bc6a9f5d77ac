// The loss of single batches jumps; people read a mean: while it runs of what came before, afterwards
// of what lies around.

/** Share of the running mean that is kept at each point. */
const KEPT = 0.95;

/** The running mean after `value`; starts with a `before` that is NaN. */
export function smoothed(before: number, value: number): number {
  return Number.isFinite(before) ? KEPT * before + (1 - KEPT) * value : value;
}

/** The window reaches so far to either side, at most. */
const MAX_REACH = 10;

/**
 * For each value the mean of those around it; nulls count for nothing and stay null. Short curves get a
 * small window. At the start, where a loss is steep, the window is only as wide as it is even on both sides.
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
