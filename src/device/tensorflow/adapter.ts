/**
 * Fast weights on tfjs-node and tfjs-node-gpu: libtensorflow's memory, read and written through its addon.
 *
 * A new value waits on the host until the old one is freed, so a push takes no more device memory than there was; a
 * pull of a part takes that part. Data is replaced, never written in place: views of it are other tensors over the
 * same memory.
 */
import * as tf from '@tensorflow/tfjs-core';
import { replace } from '../cpu.js';
import type { Device, DeviceWriter } from '../device.js';
import { isTensorFlowBackend, type TensorFlowBackend } from './backend.js';

/** The adapter for `backend`, or null if it is not tfjs-node's as this library knows it. */
export function tensorflowDevice(backend: tf.KernelBackend): Device | null {
  if (!isTensorFlowBackend(backend)) return null;
  return {
    name: 'tensorflow',

    pull(tensor, start, into) {
      const { values } = backend.tensorMap.get(tensor.dataId);
      if (values !== null) {
        into.set(values.subarray(start, start + into.length));
        return;
      }
      // A part of its own on the device: what is read is copied as a whole.
      const isWhole = into.length === tensor.size;
      const part = isWhole ? tensor : slice(tensor, start, into.length);
      try {
        into.set(backend.readSync(part.dataId));
      } finally {
        if (!isWhole) part.dispose();
      }
    },

    write: () => new TensorFlowWriter(backend),
  };
}

function slice(tensor: tf.Tensor, start: number, length: number): tf.Tensor {
  return tf.tidy(() => tf.slice1d(tf.reshape(tensor, [-1]), start, length));
}

class TensorFlowWriter implements DeviceWriter {
  readonly #backend: TensorFlowBackend;
  /** The variable that is being assembled, on the host: parts come variable by variable. */
  #open: { variable: tf.Variable; values: Float32Array } | null = null;

  constructor(backend: TensorFlowBackend) {
    this.#backend = backend;
  }

  push(variable: tf.Variable, start: number, from: Float32Array): void {
    if (this.#open?.variable !== variable) {
      this.#open = { variable, values: new Float32Array(variable.size) };
    }
    const { values } = this.#open;
    values.set(from, start);
    if (start + from.length < variable.size) return;
    this.#open = null;
    replace(variable, values); // frees the old data
    this.#backend.getInputTensorIds([variable]); // now, or the host would hold a second copy of every weight
  }

  close(): void {
    this.#open = null;
  }
}
