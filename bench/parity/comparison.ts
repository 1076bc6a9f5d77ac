// What the trainings of one condition say: test losses over those of float32 moments, and whether the
// curves are the same.

import { centeredMeans } from '../../src/report/smoothing.js';
import { type Comparison, DEMANDED } from './record.js';

export interface Curve {
  readonly losses: readonly number[];
  readonly testLoss: number;
}

/** `curves` and `references` by seed, in one order. */
export function compare(curves: readonly Curve[], references: readonly Curve[]): Comparison {
  if (curves.length === 0 || curves.length !== references.length) {
    throw new RangeError(`${curves.length} trainings can't be compared with ${references.length}.`);
  }
  const pairs = curves.map((curve, i) => [curve, references[i] as Curve] as const);
  const ratios = pairs.map(([curve, reference]) => curve.testLoss / reference.testLoss);
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  const squares = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0);
  const smallest = (of: (losses: readonly number[]) => readonly number[]) =>
    Math.min(...pairs.map(([a, b]) => correlation(of(a.losses), of(b.losses))));
  return {
    ratios,
    mean,
    standardError: Math.sqrt(squares / (ratios.length - 1) / ratios.length),
    farthest: Math.max(...ratios.map((ratio) => Math.abs(ratio - 1))),
    correlations: {
      raw: smallest((losses) => losses),
      smoothed: smallest((losses) => centeredMeans(losses).map(Number)),
      rawSecondHalf: smallest((losses) => losses.slice(losses.length / 2)),
    },
  };
}

export function fulfils({ farthest, correlations }: Comparison): boolean {
  return farthest <= DEMANDED.within && correlations.raw >= DEMANDED.correlation;
}

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
