// Identity, which is clone(): a second holder of the same data, as on tfjs's other backends. tfjs's own copies it, and so
// each forward pass kept a copy of each weight for its gradient.

import type * as tf from '@tensorflow/tfjs-core';

import type { KernelCall } from '../kernel.js';

export function identity({
  inputs: { x },
  backend,
}: KernelCall<{ readonly x: tf.TensorInfo }, object>): tf.TensorInfo {
  backend.incRef(x.dataId);
  const { dataId, shape, dtype } = x;
  return { dataId, shape, dtype };
}
