/** Pearson's, of two curves of one length. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (of: readonly number[]) => of.reduce((sum, x) => sum + x, 0) / of.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (const [i, x] of a.entries()) {
    const y = (b[i] ?? NaN) - meanB;
    ab += (x - meanA) * y;
    aa += (x - meanA) ** 2;
    bb += y ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
