/**
 * A tensor whose values are in host memory: no device memory, not counted by `tf.memory()`, nothing to leak. For what
 * `getWeights()` hands to `model.save`, which reads only name, shape, dtype and `data()`.
 *
 * It is an operand like any other: when an op first asks for its data, they are given to the current backend. That copy
 * goes when the tensor is disposed, or at last when it is garbage.
 */
import * as tf from '@tensorflow/tfjs-core';

export type HostValues = Float32Array | Int32Array;

let lastId = 0;

/** Keeps `values`, and hands the same array out again; `shape` must hold exactly as many elements. */
export function hostTensor(values: HostValues, shape: readonly number[]): tf.Tensor {
  return new HostTensor(values, shape);
}

const abandoned = new FinalizationRegistry<OnDevice>((onDevice) => {
  try {
    onDevice.dispose();
  } catch {
    // The backend is gone, and the copy with it.
  }
});

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
    const onDevice = new OnDevice(values, this.shape, this.dtype);
    abandoned.register(this, onDevice, onDevice);
    Object.defineProperty(this, 'dataId', {
      get: () => {
        this.throwIfDisposed();
        return onDevice.dataId;
      },
      enumerable: true,
    });
    this.#onDevice = onDevice;
  }

  readonly #onDevice: OnDevice;

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

  /** A tensor with a copy of the values. */
  override clone<T extends tf.Tensor>(this: T): T {
    const copy: tf.Tensor = tf.tensor(this.dataSync().slice(), this.shape, this.dtype);
    return copy as T;
  }

  override dispose(): void {
    this.isDisposedInternal = true;
    abandoned.unregister(this.#onDevice);
    this.#onDevice.dispose();
  }
}

/** The copy on the backend, made when it is first asked for. */
class OnDevice {
  readonly #values: HostValues;
  readonly #shape: number[];
  readonly #dtype: tf.DataType;
  #copy: tf.Tensor | null = null;

  constructor(values: HostValues, shape: number[], dtype: tf.DataType) {
    this.#values = values;
    this.#shape = shape;
    this.#dtype = dtype;
  }

  get dataId(): object {
    // A kernel that failed may have given its data back; another backend has none.
    if (this.#copy !== null && tf.backend().refCount(this.#copy.dataId) === 0) this.dispose();
    this.#copy ??= tf.keep(tf.tensor(this.#values.slice(), this.#shape, this.#dtype));
    return this.#copy.dataId;
  }

  dispose(): void {
    this.#copy?.dispose();
    this.#copy = null;
  }
}
