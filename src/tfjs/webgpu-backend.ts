// What the engine uses of tfjs's WebGPU backend beyond its public types.
//
// All of it is in @tensorflow/tfjs-backend-webgpu 4.22 (`backend_webgpu.js`, `buffer_manager.js`). The parts are
// looked for when a backend is given: another version is an error then, not a wrong number later.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';

/** tfjs's WebGPU backend or a subclass, with its private parts. */
export interface WebGPUBackendParts extends tf.KernelBackend {
  readonly device: GPUDevice;
  /** `get` brings data of another backend here first. */
  readonly tensorMap: { has(dataId: object): boolean; get(dataId: object): BufferData };
  bufferManager: BufferManagerLike;
  /** The commands that are recorded and not submitted; null if there are none. */
  readonly commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  /** Data that recorded commands use: disposing it waits for their submission. Replaced at each submission. */
  readonly commandQueueOwnedIds: WeakSet<object>;
  /** Data that was disposed while recorded commands use it: freed at the next submission. */
  readonly tensorDataPendingDisposal: readonly object[];
  /** Buffers to destroy after the next submission. */
  readonly stagingPendingDisposal: GPUBuffer[];
  /** A buffer from the pool, back in it after the submission. */
  makeUniforms(uniforms: Uniform[]): GPUBufferBinding;
  makeTensorInfo(shape: number[], dtype: tf.DataType): tf.TensorInfo;
  uploadToGPU(dataId: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

/** The data of a tensor, which several tensors can share. */
export interface BufferData {
  /** Values on the host that wait for their upload, or a copy that `data()` left for the next call. */
  values: tf.BackendValues | null;
  /** Of the buffer. `tf.cast` to a wider type changes the tensor's alone: float32 over int32 numbers. */
  readonly dtype: tf.DataType;
  readonly shape: number[];
  resource?: GPUBuffer | GPUTexture | null;
  /** The buffer is the caller's (`tf.tensor({ buffer })`). */
  readonly external?: boolean;
}

export interface Uniform {
  readonly type: 'uint32' | 'float32';
  readonly data: number[];
}

/** What tfjs calls on its `BufferManager`. */
export interface BufferManagerLike {
  readonly numBytesUsed: number;
  readonly numBytesAllocated: number;
  acquireBuffer(
    size: number,
    usage: GPUBufferUsageFlags,
    mappedAtCreation?: boolean,
    reuse?: boolean,
  ): GPUBuffer;
  releaseBuffer(buffer: GPUBuffer, reuse?: boolean): void;
  getNumUsedBuffers(): number;
  getNumFreeBuffers(): number;
  dispose(): void;
}

const PARTS = [
  'device',
  'tensorMap',
  'bufferManager',
  'textureManager',
  'commandEncoder',
  'computePassEncoder',
  'dispatchCountInPass',
  'commandQueueOwnedIds',
  'tensorDataPendingDisposal',
  'stagingPendingDisposal',
  'makeUniforms',
  'makeTensorInfo',
  'uploadToGPU',
  'ensureCommandEncoderReady',
  'endComputePassEncoder',
  'submitQueue',
  'getBufferData',
];

/**
 * Returns `backend` with its private parts.
 *
 * @throws SlowlaneError UNSUPPORTED unless it is tfjs's WebGPU backend, or a subclass, as this file knows it.
 */
export function webgpuParts(backend: tf.KernelBackend): WebGPUBackendParts {
  const missing = PARTS.filter((part) => !(part in backend));
  if (missing.length === 0) return backend as WebGPUBackendParts;
  throw new SlowlaneError(
    'UNSUPPORTED',
    `slowlane/webgpu needs the backend of @tensorflow/tfjs-backend-webgpu 4.22; this one has no ` +
      `${missing.join(', ')}. Install @tensorflow/tfjs-core@4.22 and @tensorflow/tfjs-backend-webgpu@4.22.`,
    { missing },
  );
}

/** The encoder that commands are recorded into; ends an open compute pass, so that it takes copies. */
export function encoderForCopies(backend: WebGPUBackendParts): GPUCommandEncoder {
  const encoder = encoderOf(backend);
  backend.endComputePassEncoder();
  return encoder;
}

export function encoderOf(backend: WebGPUBackendParts): GPUCommandEncoder {
  backend.ensureCommandEncoderReady();
  const { commandEncoder } = backend;
  if (commandEncoder === null) throw new Error('The WebGPU backend has no command encoder.');
  return commandEncoder;
}

/** The buffer with the data of a tensor, if it has one on this device. Brings no data here. */
export function bufferOf(backend: WebGPUBackendParts, dataId: object): GPUBuffer | undefined {
  const { resource } = backend.tensorMap.has(dataId) ? backend.tensorMap.get(dataId) : {};
  return isBuffer(resource) ? resource : undefined;
}

/** The tensor of data that `makeTensorInfo` made; the caller's, or its tidy's. */
export function tensorOf(backend: WebGPUBackendParts, info: tf.TensorInfo): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(info, backend);
}

/** True if disposed data with a buffer of this size waits for the next submission. */
export function isPending(backend: WebGPUBackendParts, bytes: number): boolean {
  return backend.tensorDataPendingDisposal.some((dataId) => {
    const { resource } = backend.tensorMap.get(dataId);
    return resource != null && 'size' in resource && resource.size === bytes;
  });
}

/** Calls `named` for all data that commands name, until the next submission. */
export function watchRecorded(backend: WebGPUBackendParts, named: (dataId: object) => void): void {
  const recorded = backend.commandQueueOwnedIds;
  const add = recorded.add.bind(recorded);
  recorded.add = (dataId) => {
    named(dataId);
    return add(dataId);
  };
}

/**
 * Not a texture and not missing. Asked of its members, because Deno has a class GPUBuffer of its own beside that of the
 * package `webgpu`.
 */
export function isBuffer(
  resource: GPUBuffer | GPUTexture | null | undefined,
): resource is GPUBuffer {
  return resource != null && 'mapState' in resource;
}
