/**
 * What TensorFlow holds. Its allocator's own statistics are not reachable: the addon has no call for them, and no
 * op of libtensorflow gives them. So: tensors as counted by tfjs and by the addon, and the process as seen by the driver.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import type { Binding } from '../../tfjs/tensorflow-backend.js';

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
    gpuBytes: await processGpuBytes(),
    residentBytes: process.memoryUsage.rss(),
  };
}

const QUERY = ['--query-compute-apps=pid,used_memory', '--format=csv,noheader,nounits'];
const MIB = 2 ** 20;

/** Null without nvidia-smi, or where it does not see this process (in a container it often does not). */
async function processGpuBytes(): Promise<number | null> {
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', QUERY, { timeout: 10_000 });
    const ours = stdout
      .split('\n')
      .map((line) => line.split(',').map(Number))
      .filter(([pid, used]) => pid === process.pid && Number.isFinite(used));
    return ours.length === 0 ? null : ours.reduce((sum, [, used = 0]) => sum + used, 0) * MIB;
  } catch {
    return null;
  }
}
