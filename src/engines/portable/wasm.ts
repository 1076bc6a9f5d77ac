// Fast weights on tfjs's `wasm` backend: one WebAssembly heap, readable and writable through views.
//
// A view is valid only until the heap grows, so it is taken anew for every call. A weight is never
// written in place: XNNPACK keeps packed copies of matrices, found by the number of the tensor's data, so
// a matMul would go on with the old values. New values go into new data, which no kernel has seen.

import type * as tf from '@tensorflow/tfjs-core';

import { isWasmBackend } from '../../tfjs/wasm-backend.js';
import { cpuDevice } from './cpu.js';
import { WholeWriter } from './whole-writer.js';
import type { Device } from '../../engine/device.js';

/** The adapter for the current backend, or null if it is not the wasm backend as this file knows it. */
export function wasmDevice(backend: tf.KernelBackend): Device | null {
  if (!isWasmBackend(backend)) return null;
  return {
    name: 'wasm',

    pull(tensor, start, into) {
      // A tensor made on another backend has not moved here yet.
      if (!backend.dataIdMap.has(tensor.dataId)) return cpuDevice.pull(tensor, start, into);
      into.set(backend.typedArrayFromHeap(tensor).subarray(start, start + into.length));
    },

    write: () => new WholeWriter(),
  };
}
