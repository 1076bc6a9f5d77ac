// Are numbers in host memory finite? Plain loops: a callback for each would box millions of numbers.

/** The place of the first NaN or infinity from `start` on and before `end`, or −1. */
export function nonFiniteAt(values: Float32Array, start = 0, end = values.length): number {
  const last = Math.min(end, values.length);
  for (let i = start; i < last; i++) {
    const x = values[i] as number;
    if (x - x !== 0) return i;
  }
  return -1;
}
