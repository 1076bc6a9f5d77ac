// The stack that memory is measured on: 16 dense layers of 512 × 512 without bias, ReLU between them, batch 8,
// mean squared error, Adam, k = 5.

import * as tf from '@tensorflow/tfjs-core';

export const LAYERS = 16;
const WIDTH = 512;
const BATCH = 8;
export const SYNC_PERIOD = 5;
export const PARAMETERS = LAYERS * WIDTH * WIDTH;
export const LEARNING_RATE = 1e-4;

export class Stack {
  readonly weights: tf.Variable[];
  readonly #x: tf.Tensor;
  readonly #y: tf.Tensor;

  constructor() {
    // He's initial values keep the size of what passes through the layers.
    const scale = Math.sqrt(2 / WIDTH);
    this.weights = Array.from({ length: LAYERS }, (_, i) =>
      tf.tidy(() => tf.variable(tf.randomNormal([WIDTH, WIDTH], 0, scale, 'float32', i + 1))),
    );
    this.#x = tf.randomNormal([BATCH, WIDTH], 0, 1, 'float32', 101);
    this.#y = tf.randomNormal([BATCH, WIDTH], 0, 1, 'float32', 102);
  }

  readonly loss = (): tf.Scalar => {
    let out = this.#x;
    for (const weight of this.weights) out = tf.relu(tf.matMul(out, weight));
    return tf.mean<tf.Scalar>(tf.square(tf.sub(out, this.#y)));
  };

  dispose(): void {
    tf.dispose([this.#x, this.#y, ...this.weights]);
  }
}

/** What one writes without slowlane: slow weights as variables beside the fast ones. */
export class OnDeviceLookahead {
  readonly #optimizer: tf.Optimizer;
  readonly #slow: tf.Variable[];
  readonly #weights: readonly tf.Variable[];
  #steps = 0;

  constructor(optimizer: tf.Optimizer, weights: readonly tf.Variable[]) {
    this.#optimizer = optimizer;
    this.#weights = weights;
    this.#slow = weights.map((weight) => tf.tidy(() => tf.variable(tf.mul(weight, 1), false)));
  }

  async step(loss: () => tf.Scalar): Promise<tf.Scalar> {
    const cost = this.#optimizer.minimize(loss, true, [...this.#weights]);
    this.#steps += 1;
    if (this.#steps % SYNC_PERIOD === 0) {
      tf.tidy(() => {
        for (const [i, fast] of this.#weights.entries()) {
          const slow = this.#slow[i] as tf.Variable;
          slow.assign(tf.add(slow, tf.mul(0.5, tf.sub(fast, slow))));
          fast.assign(tf.mul(slow, 1));
        }
      });
    }
    return cost as tf.Scalar;
  }
}
