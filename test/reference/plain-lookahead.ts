// Lookahead around Adam in plain double precision arithmetic, as one would write it from the paper.
// Slow, obvious, and sharing no line with src/.

export interface PlainOptions {
  learningRate: number;
  syncPeriod: number;
  slowStepSize: number;
}

/** Call it with the gradients of each step; it changes `weights` (one array per weight). */
export function plainAdamLookahead(
  weights: Float64Array[],
  { learningRate, syncPeriod, slowStepSize }: PlainOptions,
): (gradients: ArrayLike<number>[]) => void {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-7];
  const slow = weights.map((w) => w.slice());
  const m = weights.map((w) => new Float64Array(w.length));
  const v = weights.map((w) => new Float64Array(w.length));
  let t = 0;
  return (gradients) => {
    t++;
    weights.forEach((w, n) => {
      for (let i = 0; i < w.length; i++) {
        const g = gradients[n]![i]!;
        m[n]![i] = beta1 * m[n]![i]! + (1 - beta1) * g;
        v[n]![i] = beta2 * v[n]![i]! + (1 - beta2) * g * g;
        const mHat = m[n]![i]! / (1 - beta1 ** t);
        const vHat = v[n]![i]! / (1 - beta2 ** t);
        w[i]! -= (learningRate * mHat) / (Math.sqrt(vHat) + epsilon);
        if (t % syncPeriod !== 0) continue;
        slow[n]![i]! += slowStepSize * (w[i]! - slow[n]![i]!);
        w[i] = slow[n]![i]!;
      }
    });
  };
}
