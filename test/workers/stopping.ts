/** Kernels that break off in the middle of their work, and jobs that notice. */
import { type BlendJob, blendChunk } from '#workers/blend.js';
import type { BlendKernels } from '#workers/plain-kernels.js';

class Stop extends Error {}

/** Kernels that stop at the n-th of their stages: before, in the middle and after each call. */
export function stoppingAt(n: number, kernels: BlendKernels): BlendKernels {
  let stage = 0;
  const pass = (half?: () => void) => {
    if (stage++ !== n) return;
    half?.();
    throw new Stop();
  };
  return {
    blend(slow, fast, out, length, stepSize) {
      pass();
      pass(() => kernels.blend(slow, fast, out, length >> 1, stepSize));
      kernels.blend(slow, fast, out, length, stepSize);
      pass();
    },
    copy(from, to, length) {
      pass();
      pass(() => kernels.copy(from, to, length >> 1));
      kernels.copy(from, to, length);
      pass();
    },
    dequantize(format, from, to, length) {
      pass();
      pass(() => kernels.dequantize(format, from, to, length >> 1));
      kernels.dequantize(format, from, to, length);
      pass();
    },
    quantize(format, from, to, length, start, draw) {
      pass();
      pass(() => kernels.quantize(format, from, to, length >> 1, start, draw));
      kernels.quantize(format, from, to, length, start, draw);
      pass();
    },
  };
}

/** True if the job ran to its end. */
export function completes(job: BlendJob, kernels: BlendKernels): boolean {
  try {
    blendChunk(job, kernels);
    return true;
  } catch (cause) {
    if (!(cause instanceof Stop)) throw cause;
    return false;
  }
}
