/**
 * The parts of tfjs's WebGPU backend that in-place updates use. All but `device`, `tensorMap`,
 * `uploadToGPU`, `submitQueue` and the two encoder calls are private in its types, hence the check.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../checks/errors.js';

export interface TensorData {
  /** Values on the host that wait for their upload, or a copy that `data()` left for the next call. */
  values: unknown;
  /** Of the buffer. `tf.cast` to a wider type changes the tensor's alone: float32 over int32 numbers. */
  readonly dtype: tf.DataType;
  readonly resource?: GPUBuffer | null;
  /** The buffer is the caller's (`tf.tensor({ buffer })`). */
  readonly external?: boolean;
}

export interface Uniform {
  readonly type: 'uint32' | 'float32';
  readonly data: number[];
}

export interface UpdateBackend extends tf.KernelBackend {
  readonly device: GPUDevice;
  /** `get` brings data of another backend here first. */
  readonly tensorMap: { get(dataId: object): TensorData };
  /** Data that recorded commands use: disposing it waits for their submission. New after each. */
  readonly commandQueueOwnedIds: { add(dataId: object): unknown };
  readonly commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  /** A buffer from the pool, back in it after the submission. */
  makeUniforms(uniforms: Uniform[]): GPUBufferBinding;
  makeTensorInfo(shape: number[], dtype: tf.DataType): tf.TensorInfo;
  uploadToGPU(dataId: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

const PARTS = [
  'device',
  'tensorMap',
  'commandQueueOwnedIds',
  'commandEncoder',
  'computePassEncoder',
  'dispatchCountInPass',
  'makeUniforms',
  'makeTensorInfo',
  'uploadToGPU',
  'ensureCommandEncoderReady',
  'endComputePassEncoder',
  'submitQueue',
] as const satisfies readonly (keyof UpdateBackend)[];

/** Returns `backend` if it is tfjs's WebGPU backend, or a subclass, as this library knows it. */
export function checkUpdateBackend(backend: tf.KernelBackend): UpdateBackend {
  const missing = PARTS.filter((part) => !(part in backend));
  if (missing.length === 0) return backend as UpdateBackend;
  throw new SlowlaneError(
    'UNSUPPORTED',
    `In-place updates need the backend of @tensorflow/tfjs-backend-webgpu 4.22; this one has no ` +
      `${missing.join(', ')}. Use that version, or leave the updates to plain tensor operations.`,
    { missing },
  );
}
