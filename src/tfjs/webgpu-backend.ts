// What the lean backend uses of tfjs's WebGPU backend beyond its public types, in one place.
//
// All of it is in @tensorflow/tfjs-backend-webgpu 4.22 (`backend_webgpu.js`, `buffer_manager.js`) and in
// tfjs-core 4.22 (`engine.js`). The parts are looked for when the backend is made: another version is an
// error then, not a wrong number later.

import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';

export interface BackendInternals {
  bufferManager: BufferManagerLike;
  /** The commands that are recorded and not submitted; null if there are none. */
  readonly commandEncoder: GPUCommandEncoder | null;
  /** Data that recorded commands use; replaced at each submission. */
  commandQueueOwnedIds: WeakSet<object>;
  /** Data that was disposed while recorded commands use it: freed at the next submission. */
  readonly tensorDataPendingDisposal: readonly object[];
  /** Buffers to destroy after the next submission. */
  readonly stagingPendingDisposal: GPUBuffer[];
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

/** One recorded operation of a gradient computation. */
interface TapeNode {
  readonly saved: tf.Tensor[];
}

export interface EngineState {
  /** Null or undefined when no gradient is being computed. */
  activeTape?: TapeNode[] | null;
  /** Above 0 in a forward pass that is being recorded. */
  readonly gradientDepth: number;
  /** The scopes of `tidy` that are open, by their names. */
  readonly scopeStack: readonly { readonly name: string }[];
}

const BACKEND_PARTS = [
  'bufferManager',
  'textureManager',
  'tensorMap',
  'commandEncoder',
  'commandQueueOwnedIds',
  'stagingPendingDisposal',
  'tensorDataPendingDisposal',
  'submitQueue',
  'getBufferData',
];
const STATE_PARTS = ['gradientDepth', 'scopeStack'];

/** Throws UNSUPPORTED unless `backend` and `engine` are as this file knows them. */
export function checkInternals(backend: WebGPUBackend, engine: ReturnType<typeof tf.engine>): void {
  const missing = [
    ...BACKEND_PARTS.filter((part) => !(part in backend)),
    ...STATE_PARTS.filter((part) => !(part in engine.state)),
  ];
  if (missing.length === 0) return;
  throw new SlowlaneError(
    'UNSUPPORTED',
    `slowlane/webgpu is made for TensorFlow.js 4.22, this version has no ${missing.join(', ')}. ` +
      `Install @tensorflow/tfjs-core@4.22 and @tensorflow/tfjs-backend-webgpu@4.22.`,
    { missing },
  );
}

export function internalsOf(backend: WebGPUBackend): BackendInternals {
  return backend as unknown as BackendInternals;
}

export function stateOf(engine: ReturnType<typeof tf.engine>): EngineState {
  return engine.state as unknown as EngineState;
}

/** True if disposed data with a buffer of this size waits for the next submission. */
export function isPending(backend: WebGPUBackend, bytes: number): boolean {
  const resourceOf = (dataId: object) => backend.tensorMap.get(dataId).resource;
  return internalsOf(backend).tensorDataPendingDisposal.some((dataId) => {
    const resource = resourceOf(dataId);
    return resource != null && 'size' in resource && resource.size === bytes;
  });
}
