// Values that wait on the host get their buffer. As tfjs does it, except that nothing is lost if the
// second of two buffers does not fit.

import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';

import type { BufferPool } from './buffer-pool.js';

export type TensorData = ReturnType<WebGPUBackend['tensorMap']['get']>;

/**
 * Gives `data`, which has values, a buffer in place of them. A buffer that was in use before cannot be
 * written by the host: then the values are in `from`, for the caller to copy and destroy.
 */
export function uploadValues(
  data: TensorData,
  pool: BufferPool,
): { from: GPUBuffer; into: GPUBuffer } | null {
  const elementBytes = data.dtype === 'complex64' ? 8 : 4;
  const size = elementBytes * tf.util.sizeFromShape(data.shape);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const into = pool.acquireBuffer(size, usage, true);
  let from = into;
  try {
    if (into.mapState === 'unmapped') {
      from = pool.acquireBuffer(
        size,
        GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC,
        true,
        false,
      );
    }
    fill(from, data);
  } catch (error) {
    if (from !== into) pool.releaseBuffer(from, false);
    pool.releaseBuffer(into);
    throw error;
  }
  data.values = null as unknown as tf.BackendValues;
  data.resource = into;
  return from === into ? null : { from, into };
}

/** Writes the values into a mapped buffer and unmaps it. */
function fill(mapped: GPUBuffer, { dtype, values }: TensorData): void {
  const range = mapped.getMappedRange();
  const isWhole = dtype === 'int32' || dtype === 'bool';
  (isWhole ? new Int32Array(range) : new Float32Array(range)).set(values as Float32Array);
  mapped.unmap();
}
