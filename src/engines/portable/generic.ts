// Fast weights on any tfjs backend, by public tensor operations alone.
//
// Costs device memory that a backend's own adapter would not: one chunk while pulling; while pushing a
// weight that spans several chunks, its parts and the assembled weight.

import * as tf from '@tensorflow/tfjs-core';

import type { Device, DeviceWriter } from '../../engine/device.js';
import { replace } from './whole-writer.js';

export function genericDevice(name: string): Device {
  return {
    name,

    async pull(tensor, start, into) {
      const whole = into.length === tensor.size;
      const piece = whole
        ? tensor.clone()
        : tf.tidy(() => tf.slice1d(tf.reshape(tensor, [-1]), start, into.length));
      try {
        into.set(await piece.data<'float32'>());
      } finally {
        piece.dispose();
      }
    },

    write: () => new GenericWriter(),
  };
}

class GenericWriter implements DeviceWriter {
  #open: { variable: tf.Variable; parts: tf.Tensor1D[] } | null = null;

  push(variable: tf.Variable, start: number, from: Float32Array): void {
    // A copy: backends upload lazily, and some cannot read shared memory.
    const values = Float32Array.from(from);
    if (values.length === variable.size) {
      replace(variable, values);
      return;
    }
    if (this.#open?.variable !== variable) {
      this.close();
      this.#open = { variable, parts: [] };
    }
    const { parts } = this.#open;
    parts.push(tf.tensor1d(values));
    if (start + values.length < variable.size) return;
    const assembled = tf.tidy(() => tf.reshape(tf.concat1d(parts), variable.shape));
    variable.assign(assembled);
    assembled.dispose();
    this.close();
  }

  close(): void {
    tf.dispose(this.#open?.parts ?? []);
    this.#open = null;
  }
}
