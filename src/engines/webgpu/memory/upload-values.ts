// Gives values that wait on the host their buffer. As tfjs does it, but nothing is lost if the second of two
// buffers does not fit.

import * as tf from '@tensorflow/tfjs-core';

import {
  type BufferData,
  encoderForCopies,
  type WebGPUBackendParts,
} from '../../../tfjs/webgpu-backend.js';
import type { BufferPool } from './buffer-pool.js';

/** Gives `data`, which has values, a buffer in place of them. The copy, if it takes one, is recorded. */
export function uploadValues(
  backend: WebGPUBackendParts,
  pool: BufferPool,
  data: BufferData,
): void {
  const elementBytes = data.dtype === 'complex64' ? 8 : 4;
  const size = elementBytes * tf.util.sizeFromShape(data.shape);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const into = pool.acquireBuffer(size, usage, true);
  let from = into;
  try {
    // The host cannot write a buffer that was in use before.
    if (into.mapState === 'unmapped') {
      const mappable = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC;
      from = pool.acquireBuffer(size, mappable, true, false);
    }
    fill(from, data);
  } catch (error) {
    if (from !== into) pool.releaseBuffer(from, false);
    pool.releaseBuffer(into);
    throw error;
  }
  data.values = null;
  data.resource = into;
  if (from === into) return;
  encoderForCopies(backend).copyBufferToBuffer(from, 0, into, 0, size);
  backend.stagingPendingDisposal.push(from);
}

/** Writes the values into a mapped buffer and unmaps it. */
function fill(mapped: GPUBuffer, { dtype, values }: BufferData): void {
  const range = mapped.getMappedRange();
  const isWhole = dtype === 'int32' || dtype === 'bool';
  (isWhole ? new Int32Array(range) : new Float32Array(range)).set(values as Float32Array);
  mapped.unmap();
}
