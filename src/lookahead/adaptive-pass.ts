// The sums of Proposition 1 (step-size.ts) over all weights, part by part.
//
// One running sum each, in double precision and in layout order: the result does not depend on how the
// weights are cut.

import type * as tf from '@tensorflow/tfjs-core';

import type { Device } from '../engine/device.js';
import type { SlowParts } from '../slow/slow-store.js';
import { type AdaptiveStepSize, adaptiveStepSize } from './step-size.js';
import type { Tracked } from './tracked.js';

export interface AdaptiveInputs {
  /** Gradient at the fast weights; null if the weight has none. */
  gradientOf(weight: tf.Variable): tf.Tensor | null;
  /** Diagonal of the curvature, and what to multiply it with; null if the weight has none. */
  curvatureOf(weight: tf.Variable): { diagonal: tf.Tensor; scale: number } | null;
}

/** α = clip(1 + gᵀd / dᵀÂd, min, 1) with d = slow − fast, over `parts`. */
export async function adaptiveOver(
  parts: SlowParts<Tracked>,
  { min }: AdaptiveStepSize,
  inputs: AdaptiveInputs,
  device: Device,
): Promise<number> {
  let gradientDotD = 0;
  let dCurvatureD = 0;
  for await (const { item, start, values: slow } of parts) {
    const { variable } = item;
    if (variable.isDisposed) continue;
    const pulled = async (tensor: tf.Tensor | undefined | null) => {
      if (!tensor) return null;
      const into = new Float32Array(slow.length);
      await device.pull(tensor, start, into);
      return into;
    };
    const a = inputs.curvatureOf(variable);
    const fast = (await pulled(variable)) as Float32Array;
    const gradient = await pulled(inputs.gradientOf(variable));
    const curvature = await pulled(a?.diagonal);
    for (let i = 0; i < slow.length; i++) {
      const d = (slow[i] as number) - (fast[i] as number);
      if (gradient) gradientDotD += (gradient[i] as number) * d;
      if (a && curvature) dCurvatureD += d * (curvature[i] as number) * a.scale * d;
    }
  }
  return adaptiveStepSize(gradientDotD, dCurvatureD, min);
}
