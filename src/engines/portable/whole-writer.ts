// Writes weights whole, by tensor operations alone: parts are assembled on the host.

import * as tf from '@tensorflow/tfjs-core';

import type { DeviceWriter } from '../../engine/device.js';

export class WholeWriter implements DeviceWriter {
  readonly #replaced: (variable: tf.Variable) => void;
  /** The variable that is being assembled: parts come variable by variable. */
  #open: { variable: tf.Variable; values: Float32Array } | null = null;

  /** `replaced` is called once a variable has its new value. */
  constructor(replaced: (variable: tf.Variable) => void = () => undefined) {
    this.#replaced = replaced;
  }

  push(variable: tf.Variable, start: number, from: Float32Array): void {
    if (this.#open?.variable !== variable) {
      this.#open = { variable, values: new Float32Array(variable.size) };
    }
    const { values } = this.#open;
    values.set(from, start);
    if (start + from.length < variable.size) return;
    this.#open = null;
    const value = tf.tensor(values, variable.shape, 'float32');
    try {
      variable.assign(value);
    } finally {
      value.dispose();
    }
    this.#replaced(variable);
  }
}
