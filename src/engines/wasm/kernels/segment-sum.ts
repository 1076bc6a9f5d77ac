// UnsortedSegmentSum: the gradient of gather, and so of embeddings. As on tfjs's cpu backend the result is float32.

import * as tf from '@tensorflow/tfjs-core';

import { positionsOf } from '../../../tfjs/wasm-backend.js';
import { kernelsOn } from '../heap-kernels.js';
import { type KernelCall, withFloats } from '../kernel.js';

type Call = KernelCall<
  { readonly x: tf.TensorInfo; readonly segmentIds: tf.TensorInfo },
  { readonly numSegments: number }
>;

export function segmentSum({ inputs, attrs, backend }: Call): tf.TensorInfo {
  const { x, segmentIds } = inputs;
  const { numSegments } = attrs;
  const [rows = 0, ...row] = x.shape;
  if (!tf.util.arraysEqual(segmentIds.shape, [rows]) || segmentIds.dtype !== 'int32') {
    throw new RangeError(
      `unsortedSegmentSum of [${x.shape.join()}] needs segment ids of shape [${rows}] and dtype int32, got ` +
        `[${segmentIds.shape.join()}] and ${segmentIds.dtype}.`,
    );
  }
  const width = tf.util.sizeFromShape(row);
  return withFloats(backend, [x], (values) => {
    const { compiled, scratch } = kernelsOn(backend);
    const sums = scratch(8 * width + 4 * (numSegments + rows)); // first: it may throw
    const out = backend.makeOutput([numSegments, ...row], 'float32');
    compiled.segmentSum(
      ...positionsOf(backend, values, segmentIds, out),
      rows,
      width,
      numSegments,
      sums + 8 * width,
      sums,
    );
    return out;
  });
}
