/**
 * The parts of tfjs-node's backend that are used here. Nearly all of them are private in its types, and its package
 * is no dependency of ours, hence the check.
 */
import type * as tf from '@tensorflow/tfjs-core';

/** What the native addon exports: TensorFlow's eager C API by numbers of tensors. */
export interface Binding {
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  createTensor(shape: readonly number[], dtype: number, values: Float32Array): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array;
  executeOp(
    name: string,
    attributes: readonly OpAttribute[],
    inputs: readonly number[],
    outputs: number,
  ): { readonly id: number; readonly shape: readonly number[]; readonly dtype: number }[];
  getNumOfTensors(): number;
}

export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

export interface TensorData {
  /** Of the tensor in TensorFlow; below 0 while the values wait on the host. */
  id: number;
  /** Values that wait on the host until an op needs them, or null. */
  values: Float32Array | null;
  /** How many tensors of tfjs share this data. Views made by ops have data of their own, over the same memory. */
  readonly refCount: number;
}

export interface TensorFlowBackend extends tf.KernelBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  readonly isGPUPackage: boolean;
  /** `get` brings data of another backend here first. */
  readonly tensorMap: { get(dataId: object): TensorData };
  /** Uploads what waits on the host. */
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
  readSync(dataId: object): Float32Array;
}

const PARTS = [
  'binding',
  'isUsingGpuDevice',
  'isGPUPackage',
  'tensorMap',
  'getInputTensorIds',
  'readSync',
] as const satisfies readonly (keyof TensorFlowBackend)[];

export function isTensorFlowBackend(backend: tf.KernelBackend): backend is TensorFlowBackend {
  return PARTS.every((part) => part in backend);
}
