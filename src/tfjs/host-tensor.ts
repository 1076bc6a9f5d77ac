/**
 * A tensor that lives in host memory only and that the engine knows nothing about: no device memory,
 * not counted by `tf.memory()`, nothing to leak. For what `getWeights()` hands to `model.save`, which
 * reads only name, shape, dtype and `data()`. It is not an operand: `clone()` it to compute with it.
 */
import * as tf from '@tensorflow/tfjs-core';

export type HostValues = Float32Array | Int32Array;

let lastId = 0;

/** Keeps `values`, and hands the same array out again; `shape` must hold exactly as many elements. */
export function hostTensor(values: HostValues, shape: readonly number[]): tf.Tensor {
  return new HostTensor(values, shape);
}

class HostTensor extends tf.Tensor {
  readonly #values: HostValues;

  constructor(values: HostValues, shape: readonly number[]) {
    // Negative ids never meet the engine's own, which count up from 0.
    super([...shape], values instanceof Int32Array ? 'int32' : 'float32', {}, --lastId);
    if (this.size !== values.length) {
      throw new RangeError(
        `A tensor of shape [${shape.join(', ')}] has ${this.size} elements, got ${values.length}.`,
      );
    }
    this.#values = values;
    this.kept = true; // a tidy that returns it must not track it
  }

  override async data<D extends tf.DataType = tf.NumericDataType>(): Promise<tf.DataTypeMap[D]> {
    return this.dataSync<D>();
  }

  override dataSync<D extends tf.DataType = tf.NumericDataType>(): tf.DataTypeMap[D] {
    this.throwIfDisposed();
    return this.#values as tf.DataTypeMap[D]; // the dtype says which
  }

  override async bytes(): Promise<Uint8Array> {
    this.throwIfDisposed();
    return new Uint8Array(this.#values.buffer, this.#values.byteOffset, this.#values.byteLength);
  }

  /** A real tensor with a copy of the values. */
  override clone<T extends tf.Tensor>(this: T): T {
    const copy: tf.Tensor = tf.tensor(this.dataSync().slice(), this.shape, this.dtype);
    return copy as T;
  }

  /** Marks it as disposed; there is nothing to free. */
  override dispose(): void {
    this.isDisposedInternal = true;
  }
}
