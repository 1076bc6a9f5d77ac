// Fast weights on tfjs's `cpu` backend: plain JavaScript arrays.
//
// Never writes in place. The backend keeps the very array that `tf.tensor(array)` was given, so the
// values of a weight may be an array of the caller's; a new value gets an array of its own.

import * as tf from '@tensorflow/tfjs-core';

import type { Device, DeviceWriter } from './device.js';

export const cpuDevice: Device = {
  name: 'cpu',

  pull(tensor, start, into) {
    // On this backend `dataSync` returns the live array without copying it.
    const live = tensor.dataSync<'float32'>();
    into.set(live.subarray(start, start + into.length));
  },

  write: () => new CpuWriter(),
};

class CpuWriter implements DeviceWriter {
  /** The variable that is being assembled: parts come variable by variable. */
  #open: { variable: tf.Variable; values: Float32Array } | null = null;

  push(variable: tf.Variable, start: number, from: Float32Array): void {
    if (this.#open?.variable !== variable) {
      this.#open = { variable, values: new Float32Array(variable.size) };
    }
    const { values } = this.#open;
    values.set(from, start);
    if (start + from.length < variable.size) return;
    this.#open = null;
    replace(variable, values);
  }

  close(): void {
    this.#open = null;
  }
}

/** Gives `variable` new values; `values` belongs to the backend afterwards. */
export function replace(variable: tf.Variable, values: Float32Array): void {
  const value = tf.tensor(values, variable.shape, 'float32');
  variable.assign(value);
  value.dispose();
}
