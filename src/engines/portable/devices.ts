// Fast weights on tfjs's own backends.
//
// The cpu backend keeps the very array that `tf.tensor(array)` was given, and gives it to whoever reads a tensor: new
// values go into a new array, which nobody has seen. The heap of wasm is written in place.

import * as tf from '@tensorflow/tfjs-core';

import type { Device } from '../../engine/device.js';
import { copyOf, positionOf, type WasmBackend, wroteInPlace } from '../../tfjs/wasm-backend.js';
import { WholeWriter } from './whole-writer.js';

const write = () => new WholeWriter();

/** `cpu`: plain JavaScript arrays. */
export const cpuDevice: Device = {
  pull(tensor, start, into) {
    // On this backend `dataSync` returns the live array without copying it.
    const live = tensor.dataSync<'float32'>();
    into.set(live.subarray(start, start + into.length));
  },
  pullsAtOnce: true,
  write,
};

/**
 * The device of tfjs's wasm backend, whose one WebAssembly heap is read and written through views. A view is valid only
 * until the heap grows, so each call makes a new one.
 */
export function wasmDevice(backend: WasmBackend): Device {
  return {
    pull(tensor, start, into) {
      // A tensor made on another backend has not moved here yet.
      if (!backend.dataIdMap.has(tensor.dataId)) return cpuDevice.pull(tensor, start, into);
      into.set(backend.typedArrayFromHeap(tensor).subarray(start, start + into.length));
    },
    pullsAtOnce: true,
    isHostMemory: true,
    write: () => ({
      push(variable, start, from) {
        makeOwn(backend, variable);
        backend.typedArrayFromHeap(variable).set(from, start);
        wroteInPlace(backend, variable);
      },
    }),
  };
}

/** Afterwards the data of `variable` are in the heap, and no other tensor shares them. */
function makeOwn(backend: WasmBackend, variable: tf.Variable): void {
  positionOf(backend, variable); // brings them here
  if (backend.refCount(variable.dataId) === 1) return;
  tf.tidy(() => variable.assign(copyOf(backend, variable)));
}

/**
 * Any backend, by public tensor operations alone. Pulling a part costs device memory for that part, which a backend's
 * own device can do without.
 */
export const genericDevice: Device = {
  async pull(tensor, start, into) {
    const part = into.length === tensor.size ? tensor.clone() : sliceOf(tensor, start, into.length);
    try {
      into.set(await part.data<'float32'>());
    } finally {
      part.dispose();
    }
  },
  write,
};

/** The elements from `start` on as a tensor of one dimension; the caller's. */
export function sliceOf(tensor: tf.Tensor, start: number, length: number): tf.Tensor {
  return tf.tidy(() => tf.slice1d(tf.reshape(tensor, [-1]), start, length));
}
