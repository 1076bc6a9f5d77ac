// Writes weights whole: parts are assembled on the host.

import * as tf from '@tensorflow/tfjs-core';

import type { DeviceWriter } from '../../engine/device.js';

/** Gives a variable new values. May keep the array. */
export type Replace = (variable: tf.Variable, values: Float32Array) => void;

export class WholeWriter implements DeviceWriter {
  readonly #replace: Replace;
  /** The variable that is being assembled: parts come variable by variable. */
  #open: { variable: tf.Variable; values: Float32Array } | null = null;

  constructor(replace: Replace = replaceByTensor) {
    this.#replace = replace;
  }

  push(variable: tf.Variable, start: number, from: Float32Array): void {
    if (this.#open?.variable !== variable) {
      this.#open = { variable, values: new Float32Array(variable.size) };
    }
    const { values } = this.#open;
    values.set(from, start);
    if (start + from.length < variable.size) return;
    this.#open = null;
    this.#replace(variable, values);
  }
}

/** By tensor operations alone. */
function replaceByTensor(variable: tf.Variable, values: Float32Array): void {
  const value = tf.tensor(values, variable.shape, 'float32');
  try {
    variable.assign(value);
  } finally {
    value.dispose();
  }
}
