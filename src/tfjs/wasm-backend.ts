// The part of tfjs-backend-wasm 4.22 that is used beyond its public types.

import type * as tf from '@tensorflow/tfjs-core';

export interface WasmBackend extends tf.KernelBackend {
  /** A view of the tensor's values, valid until the heap grows. */
  typedArrayFromHeap(tensor: tf.TensorInfo): Float32Array;
  readonly dataIdMap: { has(dataId: object): boolean };
}

export function isWasmBackend(backend: tf.KernelBackend): backend is WasmBackend {
  return 'typedArrayFromHeap' in backend && 'dataIdMap' in backend;
}
