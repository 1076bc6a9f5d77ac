// What each of our kernels is: a function of tensors in the heap. Its result is the caller's; it frees all else that it makes.

import * as tf from '@tensorflow/tfjs-core';

import type { WasmBackend } from '../../tfjs/wasm-backend.js';

/** The inputs and attributes of one call, as tfjs hands them over. */
export interface KernelCall<Inputs, Attributes> {
  readonly inputs: Inputs;
  readonly attrs: Attributes;
  readonly backend: WasmBackend;
}

/** As many as T has. */
type Infos<T extends readonly tf.TensorInfo[]> = { [K in keyof T]: tf.TensorInfo };

/** Runs the kernel that is registered under this name. */
export function run(
  backend: WasmBackend,
  name: string,
  inputs: tf.NamedTensorInfoMap,
  attrs: tf.NamedAttrMap = {},
): tf.TensorInfo {
  const result = tf.getKernel(name, 'wasm').kernelFunc({ inputs, backend, attrs });
  return result as tf.TensorInfo;
}

/** tfjs's own Transpose fails on a tensor without elements. */
export function transposed(
  backend: WasmBackend,
  x: tf.TensorInfo,
  perm: readonly number[],
): tf.TensorInfo {
  if (tf.util.sizeFromShape(x.shape) === 0) {
    return backend.makeOutput(
      perm.map((axis) => x.shape[axis] ?? 0),
      x.dtype,
    );
  }
  return run(backend, 'Transpose', { x }, { perm: [...perm] });
}

/** Calls `compute` with float32 copies of the tensors that are of another dtype. */
export function withFloats<const T extends readonly tf.TensorInfo[]>(
  backend: WasmBackend,
  tensors: T,
  compute: (...floats: Infos<T>) => tf.TensorInfo,
): tf.TensorInfo {
  return withMade(
    backend,
    tensors,
    (x) => (x.dtype === 'float32' ? x : run(backend, 'Cast', { x }, { dtype: 'float32' })),
    compute,
  );
}

/** Calls `compute` with what `make` returns for each tensor: itself, or another that is freed then. */
export function withMade<const T extends readonly tf.TensorInfo[]>(
  backend: WasmBackend,
  tensors: T,
  make: (tensor: tf.TensorInfo, index: number) => tf.TensorInfo,
  compute: (...made: Infos<T>) => tf.TensorInfo,
): tf.TensorInfo {
  const made: tf.TensorInfo[] = [];
  try {
    for (const [i, tensor] of tensors.entries()) made.push(make(tensor, i));
    return compute(...(made as Infos<T>));
  } finally {
    for (const [i, tensor] of made.entries()) {
      if (tensor !== tensors[i]) backend.disposeData(tensor.dataId);
    }
  }
}

export function wrongGradient(
  input: readonly number[],
  filter: readonly number[],
  expected: readonly number[],
  dy: readonly number[],
): RangeError {
  return new RangeError(
    `The gradient of a convolution of [${input.join()}] with a filter [${filter.join()}] has the shape ` +
      `[${expected.join()}], got [${dy.join()}].`,
  );
}
