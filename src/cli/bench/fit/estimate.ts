// What the planner says of the stack: where the search begins.

import type { PlannedLayer } from '../../../plan/activations.js';
import { policyBytes } from '../../../plan/policy-bytes.js';
import { ruleOf } from '../../../plan/step-bytes.js';
import { largestThat } from '../../../plan/largest.js';
import { equalWeights } from '../../../plan/weights.js';
import type { FitOptions } from './record.js';
import type { BenchPolicy } from '../../../measure/workloads/policies.js';

const CHUNK_BYTES = 4 * 2 ** 20;

/** Layers; null where the planner knows nothing: of tfjs's own optimizer. */
export function estimateLayers({ ours }: BenchPolicy, options: FitOptions): number | null {
  if (ours === null) return null;
  const { width, batch, vramBytes, syncPeriod } = options;
  const policy = {
    gradients: ours.gradients,
    moments: ours.moments,
    slow: 'host:f32',
  } as const;
  const fits = (count: number) => {
    const training = {
      weights: equalWeights(count * width ** 2, count),
      layers: {
        inputElements: width,
        layers: Array.from({ length: count }, (_, i) => layerOf(width, i === count - 1)),
      },
      givenActivationBytes: 0,
      batchSize: batch,
      accumulate: 1,
      rule: ruleOf('adam'),
      syncPeriod,
      chunkBytes: CHUNK_BYTES,
    };
    return policyBytes(policy, training).neededDeviceBytes <= vramBytes;
  };
  return largestThat(fits, 0, mostLayers(options) + 1);
}

/** More than this the weights alone do not let in. */
export function mostLayers({
  vramBytes,
  width,
  maxLayers,
}: Pick<FitOptions, 'vramBytes' | 'width' | 'maxLayers'>): number {
  return Math.min(maxLayers, Math.floor(vramBytes / (4 * width ** 2)));
}

/** A product, and ReLU but after the last. */
function layerOf(width: number, isLast: boolean): PlannedLayer {
  const tensors = isLast ? 1 : 2;
  return {
    name: 'dense',
    outputElements: width,
    savedTensors: tensors,
    gradientTensors: tensors,
  };
}
