/**
 * The buffers behind tensors on tfjs's WebGPU backend, for kernels of ours that read and write them.
 *
 * Writing in place means that every tensor sharing the data would change too. So data that anything else
 * holds (a clone, a saved state, a buffer of the caller's) is left as it is, and the variable gets a copy
 * of its own, once: copy on write.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../../../checks/errors.js';
import { variableSorter } from '../../../engine/categories.js';
import { allVariables } from '../../../tfjs/variables.js';
import { isLabelling } from '../memory/label.js';
import {
  encoderForCopies,
  isBuffer,
  tensorOf,
  type WebGPUBackendParts,
} from '../../../tfjs/webgpu-backend.js';

export class TensorBuffers {
  readonly #backend: WebGPUBackendParts;

  constructor(backend: WebGPUBackendParts) {
    this.#backend = backend;
  }

  /** The buffer with the tensor's elements, which may be larger than they. Brings them to the device first. */
  of(tensor: tf.TensorInfo): GPUBuffer {
    // First, for it brings data of another backend here.
    const data = this.#backend.tensorMap.get(tensor.dataId);
    this.#backend.uploadToGPU(tensor.dataId);
    if (isBuffer(data.resource)) return data.resource;
    throw new Error('The WebGPU backend has no buffer of this tensor.');
  }

  /** True if the buffer holds floats: a cast may leave whole numbers in it. */
  holdsFloats(tensor: tf.TensorInfo): boolean {
    return this.#backend.tensorMap.get(tensor.dataId).dtype === 'float32';
  }

  /** Afterwards nothing but `variable`, which has quantized words, holds its data. True if that took a copy. */
  makeWordsOwn(variable: tf.Variable): boolean {
    return !this.#isOwn(variable) && this.#become(variable, this.#duplicate(variable, 'int32'));
  }

  /** Afterwards nothing but `variable` holds its data. True if that took a copy. */
  makeOwn(variable: tf.Variable): boolean {
    if (variable.dtype !== 'float32') {
      throw new TypeError(
        `Only float32 variables can be trained; '${variable.name}' is ${variable.dtype}.`,
      );
    }
    if (this.#isOwn(variable) && this.holdsFloats(variable)) return false;
    return this.#become(variable, this.copy(variable));
  }

  /** A tensor of the variable's shape, whatever its values: to be written whole. The caller's. */
  likeOf({ shape }: tf.Variable): tf.Tensor {
    const info = this.#backend.makeTensorInfo(shape, 'float32');
    return tensorOf(this.#backend, info);
  }

  /** The same numbers as float32 in a buffer of their own; the caller's. */
  copy(tensor: tf.Tensor): tf.Tensor {
    return this.holdsFloats(tensor) ? this.#duplicate(tensor, 'float32') : toFloats(tensor);
  }

  /** Runs `work` with `tensors`, each as its copy if its buffer does not hold floats. */
  async withFloats<T>(
    tensors: readonly tf.Tensor[],
    work: (floats: readonly tf.Tensor[]) => Promise<T>,
  ): Promise<T> {
    const copies: tf.Tensor[] = [];
    const floatsOf = (tensor: tf.Tensor): tf.Tensor => {
      if (this.holdsFloats(tensor)) return tensor;
      copies.push(this.copy(tensor));
      return copies.at(-1) as tf.Tensor;
    };
    try {
      return await work(tensors.map(floatsOf));
    } finally {
      tf.dispose(copies);
    }
  }

  /** Whoever holds the old data holds a value of the variable: it counts as what the variable is for. */
  #become(variable: tf.Variable, copy: tf.Tensor): true {
    const backend: tf.KernelBackend = this.#backend;
    if (isLabelling(backend)) {
      backend.labelData(variableSorter(allVariables())(variable), variable.dataId);
    }
    variable.assign(copy);
    copy.dispose();
    return true;
  }

  #isOwn({ dataId }: tf.Variable): boolean {
    const { external } = this.#backend.tensorMap.get(dataId);
    return this.#backend.refCount(dataId) === 1 && external !== true;
  }

  /** The same bytes in a buffer of their own; the caller's. */
  #duplicate(tensor: tf.Tensor, dtype: 'float32' | 'int32'): tf.Tensor {
    const backend = this.#backend;
    const from = this.of(tensor);
    const copy = backend.makeTensorInfo(tensor.shape, dtype);
    try {
      const to = this.of(copy);
      // Only now: making a buffer may submit what is recorded.
      encoderForCopies(backend).copyBufferToBuffer(from, 0, to, 0, tensor.size * 4);
    } catch (error) {
      backend.disposeData(copy.dataId);
      throw error;
    }
    backend.commandQueueOwnedIds.add(tensor.dataId);
    backend.commandQueueOwnedIds.add(copy.dataId);
    return tensorOf(backend, copy);
  }

  /**
   * `data()` leaves a copy on the host, which would be out of date after a write, and a `data()` that is
   * under way would leave one later. So these data never keep one: each `data()` reads the device.
   */
  forgetHostCopy(variable: tf.Variable): void {
    Object.defineProperty(this.#backend.tensorMap.get(variable.dataId), 'values', NEVER_KEPT);
  }

  /** Throws UNSUPPORTED for a weight that a shader cannot see whole. */
  checkSize(weight: tf.Variable): void {
    const needBytes = weight.size * 4;
    const { maxStorageBufferBindingSize: haveBytes } = this.#backend.device.limits;
    if (needBytes <= haveBytes) return;
    throw new SlowlaneError(
      'UNSUPPORTED',
      `'${weight.name}' has ${needBytes} bytes; a shader of this device can read ${haveBytes} at once. ` +
        `Split the weight.`,
      { needBytes, haveBytes, weight: weight.name },
    );
  }
}

/** A cast alone may leave the whole numbers in their buffer. */
function toFloats(tensor: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(tf.cast(tensor, 'float32'), tf.scalar(1)));
}

/** One object, because an accessor may be defined anew only as what it is. */
const NEVER_KEPT: PropertyDescriptor = { get: () => null, set: () => undefined };
