// The sums of Proposition 1 (step-size.ts) over all weights, chunk by chunk through the staging ring.
//
// One running sum each, in double precision and in layout order: the result does not depend on the
// size of the chunks.

import type * as tf from '@tensorflow/tfjs-core';

import type { Device } from '../device/device.js';
import { type StoredChunk, weightOf } from '../slow/host-store.js';
import { type AdaptiveStepSize, adaptiveStepSize } from '../step-size.js';
import { pull } from './sync.js';
import type { Tracked } from './tracked.js';

/** Staging slots that one chunk needs here: fast weights, gradient, curvature. */
export const ADAPTIVE_SLOTS = 3;

export interface AdaptiveInputs {
  /** Gradient at the fast weights; null if the weight has none. */
  gradientOf(weight: tf.Variable): tf.Tensor | null;
  /** Diagonal of the curvature, and what to multiply it with; null if the weight has none. */
  curvatureOf(weight: tf.Variable): { diagonal: tf.Tensor; scale: number } | null;
}

/** α = clip(1 + gᵀd / dᵀÂd, min, 1) with d = slow − fast, over those parts that `stepSize` is for. */
export async function adaptiveOver(
  chunks: readonly StoredChunk<Tracked>[],
  stepSize: AdaptiveStepSize,
  inputs: AdaptiveInputs,
  device: Device,
): Promise<number> {
  let gradientDotD = 0;
  let dCurvatureD = 0;
  for (const stored of chunks) {
    const { segment, chunk, weights } = stored;
    const slots = await Promise.all(
      Array.from({ length: ADAPTIVE_SLOTS }, () => segment.ring.acquire()),
    );
    try {
      const [fast, gradient, curvature] = slots.map((slot) => segment.staging(slot, chunk.length));
      if (!fast || !gradient || !curvature)
        throw new Error(`Needs ${ADAPTIVE_SLOTS} staging slots.`);
      await pull(stored, fast, device);
      const slow = segment.slow(chunk);
      for (const { weight, start, length, offset } of chunk.parts) {
        const { variable, slot, slowStepSize } = weightOf(weights, weight);
        if (slot !== null || slowStepSize !== stepSize || variable.isDisposed) continue;
        const g = inputs.gradientOf(variable);
        const a = inputs.curvatureOf(variable);
        const end = offset + length;
        if (g) await device.pull(g, start, gradient.subarray(offset, end));
        if (a) await device.pull(a.diagonal, start, curvature.subarray(offset, end));
        for (let i = offset; i < end; i++) {
          const d = (slow[i] as number) - (fast[i] as number);
          if (g) gradientDotD += (gradient[i] as number) * d;
          if (a) dCurvatureD += d * (curvature[i] as number) * a.scale * d;
        }
      }
    } finally {
      for (const slot of slots) segment.ring.release(slot);
    }
  }
  return adaptiveStepSize(gradientDotD, dCurvatureD, stepSize.min);
}
