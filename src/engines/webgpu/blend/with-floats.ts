import * as tf from '@tensorflow/tfjs-core';

import type { TensorBuffers } from '../update/tensor-buffers.js';

/** Runs `work` with tensors whose buffers hold floats: a cast may have left whole numbers in one. */
export async function withFloats<W>(
  buffers: TensorBuffers,
  items: readonly W[],
  tensorOf: (item: W) => tf.Tensor,
  work: (tensorOf: (item: W) => tf.Tensor) => Promise<void>,
): Promise<void> {
  const copies = new Map<W, tf.Tensor>();
  try {
    for (const item of items) {
      const tensor = tensorOf(item);
      if (!buffers.holdsFloats(tensor)) copies.set(item, buffers.copy(tensor));
    }
    await work((item) => copies.get(item) ?? tensorOf(item));
  } finally {
    tf.dispose([...copies.values()]);
  }
}
