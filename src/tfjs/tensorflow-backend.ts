/**
 * The parts of tfjs-node's backend that are used here. Nearly all of them are private in its types, and its package
 * is no dependency of ours, hence the check.
 */
import * as tf from '@tensorflow/tfjs-core';

/** What the native addon exports: TensorFlow's eager C API by numbers of tensors. */
export interface Binding {
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_UINT8: number;
  readonly TF_BOOL: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  createTensor(
    shape: readonly number[],
    dtype: number,
    values: Float32Array | Int32Array | Uint8Array,
  ): number;
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

export interface TensorFlowData {
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
  readonly tensorMap: { get(dataId: object): TensorFlowData };
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

/** The data of `variable`: its values are on the device, and no other tensor of tfjs shares it. */
export function ownDataOf(backend: TensorFlowBackend, variable: tf.Variable): TensorFlowData {
  if (backend.tensorMap.get(variable.dataId).refCount > 1) {
    // New data over the same memory; TensorFlow copies it when it is written.
    const own = tf.reshape(variable, variable.shape);
    variable.assign(own);
    own.dispose();
  }
  backend.getInputTensorIds([variable]);
  return backend.tensorMap.get(variable.dataId);
}
