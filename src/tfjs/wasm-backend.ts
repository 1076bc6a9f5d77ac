// The part of tfjs-backend-wasm 4.22 that is used beyond its public types.

import * as tf from '@tensorflow/tfjs-core';

export interface WasmBackend extends tf.KernelBackend {
  /** A view of the tensor's values, valid until the heap grows. */
  typedArrayFromHeap(tensor: tf.TensorInfo): Float32Array | Int32Array | Uint8Array;
  readonly dataIdMap: {
    has(dataId: object): boolean;
    /** Brings the data here first if it is on another backend. */
    get(dataId: object): { readonly id: number; readonly memoryOffset: number };
  };
  /** Emscripten's module. */
  readonly wasm: {
    readonly asm: Readonly<Record<string, unknown>>;
    /** Of the build with threads, which imports its memory. */
    readonly wasmMemory?: WebAssembly.Memory;
    _malloc: (bytes: number) => number;
    _free: (at: number) => void;
    /** The C++ part's list of tensors. */
    readonly tfjs: {
      registerTensor(id: number, size: number, memoryOffset: number): void;
      /** Frees nothing of the heap that a tensor is in. */
      disposeData(id: number): void;
    };
  };
  /** Allocates data that holds anything. */
  makeOutput(shape: readonly number[], dtype: tf.DataType): tf.TensorInfo;
}

export function isWasmBackend(backend: tf.KernelBackend): backend is WasmBackend {
  return 'typedArrayFromHeap' in backend && 'dataIdMap' in backend;
}

/** The memory that is the heap, which Emscripten exports under a name of its own; undefined: it exports none. */
export function heapOf({ wasm }: WasmBackend): WebAssembly.Memory | undefined {
  return (
    wasm.wasmMemory ?? Object.values(wasm.asm).find((value) => value instanceof WebAssembly.Memory)
  );
}

/**
 * Calls `fail` where the heap has no room. tfjs does not look: it takes the 0 that `_malloc` returns then for a place, and
 * writes over what is there. Returns a function that undoes it.
 */
export function watchHeap({ wasm }: WasmBackend, fail: (bytes: number) => never): () => void {
  wasm._free(wasm._malloc(1)); // Emscripten puts the real function in place of a stub at the first call
  const { _malloc: own } = wasm;
  wasm._malloc = (bytes) => {
    const at = own(bytes);
    return at === 0 && bytes > 0 ? fail(bytes) : at;
  };
  return () => void (wasm._malloc = own);
}

/** Where the data of a tensor begins in the heap, in bytes. It stays there until it is disposed, also when the heap grows. */
export function positionOf(backend: WasmBackend, { dataId }: tf.TensorInfo): number {
  return backend.dataIdMap.get(dataId).memoryOffset;
}

/** The same of several. */
export function positionsOf<T extends readonly tf.TensorInfo[]>(
  backend: WasmBackend,
  ...tensors: T
): { [K in keyof T]: number } {
  return tensors.map((tensor) => positionOf(backend, tensor)) as { [K in keyof T]: number };
}

/** The same values in data of their own, which a clone may share; the caller's. */
export function copyOf(backend: WasmBackend, tensor: tf.Tensor): tf.Tensor {
  positionOf(backend, tensor); // brings them here
  const info = backend.makeOutput(tensor.shape, tensor.dtype);
  backend.typedArrayFromHeap(info).set(backend.typedArrayFromHeap(tensor));
  return tf.engine().makeTensorFromTensorInfo(info, backend);
}

/**
 * Call it after each write into the data of a tensor that is in the heap. XNNPACK keeps packed copies of weights, found by
 * the number of their data: convolutions, prelu and tfjs's own matrix products would go on with the old values.
 */
export function wroteInPlace(backend: WasmBackend, { dataId, shape }: tf.TensorInfo): void {
  const { id, memoryOffset } = backend.dataIdMap.get(dataId);
  const size = shape.reduce((product, length) => product * length, 1);
  backend.wasm.tfjs.disposeData(id); // drops the copies
  backend.wasm.tfjs.registerTensor(id, size, memoryOffset);
}
