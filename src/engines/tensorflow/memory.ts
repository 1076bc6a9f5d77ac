/**
 * What TensorFlow holds. Its allocator's own statistics are not reachable: the addon has no call for them, and no
 * op of libtensorflow gives them. So: tensors as counted by tfjs and by the addon, and the process as seen by the driver.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Binding } from '../../tfjs/tensorflow-backend.js';
import { processBytes } from './nvidia.js';

/** Memory that TensorFlow holds. */
export interface TensorFlowMemory {
  /** Bytes of all tensors, counted by TensorFlow.js. It does not see what an op needs while it runs. */
  readonly tensorBytes: number;
  /** Number of tensors that TensorFlow holds for the addon. */
  readonly tensors: number;
  /** Bytes of this process on NVIDIA GPUs, by nvidia-smi; null if it cannot report them. */
  readonly gpuBytes: number | null;
  /** Main memory of the process. Without a GPU the tensors are in it. */
  readonly residentBytes: number;
}

export async function readMemory(binding: Binding): Promise<TensorFlowMemory> {
  return {
    tensorBytes: tf.memory().numBytes,
    tensors: binding.getNumOfTensors(),
    gpuBytes: (await processBytes())?.get(process.pid) ?? null,
    residentBytes: process.memoryUsage.rss(),
  };
}
