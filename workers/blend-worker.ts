/** What runs in each thread of the pool: one chunk per call. */
import { type BlendJob, blendChunk } from './blend.js';
import { kernelsFor } from './simd-kernels.js';

// Each job brings a new clone of its memory, on which kernels would have to start anew; the last
// memory is kept instead. Only one, so that a thread holds on to no more than one store that is
// otherwise gone.
let last: { readonly id: number; readonly memory: WebAssembly.Memory } | undefined;

export default function blendInWorker(job: BlendJob): void {
  if (last?.id !== job.memoryId) last = { id: job.memoryId, memory: job.memory };
  blendChunk(job, kernelsFor(last.memory));
}
