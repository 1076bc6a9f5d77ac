import * as tf from '@tensorflow/tfjs-core';

/** The running mean of the gradients of each weight. Owns the tensors. */
export class GradientMeans {
  readonly #means = new Map<tf.Variable, tf.Tensor>();

  get weights(): readonly tf.Variable[] {
    return [...this.#means.keys()];
  }

  get tensors(): readonly tf.Tensor[] {
    return [...this.#means.values()];
  }

  /** Adds one of `of` gradients. `takes` disposes it as soon as it is used; else it stays the caller's. */
  add(weight: tf.Variable, gradient: tf.Tensor, how: { of: number; takes: boolean }): void {
    const before = this.#means.get(weight);
    const share = tf.mul(gradient, 1 / how.of);
    if (how.takes) gradient.dispose();
    const mean = before === undefined ? share : tf.add(before, share);
    this.#means.set(weight, tf.keep(mean));
    before?.dispose();
    if (mean !== share) share.dispose();
  }

  /** Of one of `weights`; stays ours. */
  of(weight: tf.Variable): tf.Tensor {
    return this.#means.get(weight) as tf.Tensor;
  }

  drop(weight: tf.Variable): void {
    this.#means.get(weight)?.dispose();
    this.#means.delete(weight);
  }

  dispose(): void {
    tf.dispose([...this.#means.values()]);
    this.#means.clear();
  }
}
