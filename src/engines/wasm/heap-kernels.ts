// Our compiled kernels on the heap of one backend, and the scratch memory that they work in.

import { SlowlaneError } from '../../checks/errors.js';
import { heapOf, type WasmBackend } from '../../tfjs/wasm-backend.js';
import { sharedModules, unsharedModules } from './kernels-wasm.js';

/** What assembly/kernels.ts exports: its files say what each takes. */
interface Compiled {
  readonly scratchBytes: () => number;
  /** Not 0 if all are. */
  readonly allWithin: (x: number, size: number, largest: number) => number;
  readonly geometry: (...sizes: readonly number[]) => void;
  readonly matMul: (...sizes: readonly number[]) => void;
  readonly convFilterGradient: Gradient;
  readonly convInputGradient: Gradient;
  readonly depthwiseFilterGradient: Gradient;
  readonly depthwiseInputGradient: Gradient;
  readonly maxPool: (...sizes: readonly number[]) => void;
  readonly clip: (...positionsAndLimits: readonly number[]) => void;
  readonly sign: (...positionsAndSize: readonly number[]) => void;
  readonly segmentSum: (...sizes: readonly number[]) => void;
}

export type Gradient = (
  left: number,
  right: number,
  out: number,
  batch: number,
  scratch: number,
  /** Of those that are products: to what is there. */
  adds?: boolean,
) => void;

export interface HeapKernels {
  readonly compiled: Compiled;
  /** A part of the heap that nobody else uses, for one call of a kernel; aligned for float64. */
  readonly scratch: (bytes: number) => number;
}

interface Loaded extends HeapKernels {
  readonly free: () => void;
}

const loaded = new WeakMap<WasmBackend, Loaded>();

/**
 * The kernels on this backend, compiled at the first call.
 *
 * @throws SlowlaneError UNSUPPORTED without SIMD, or if the backend does not show its memory.
 */
export function kernelsOn(backend: WasmBackend): HeapKernels {
  let kernels = loaded.get(backend);
  if (kernels === undefined) {
    kernels = load(backend);
    loaded.set(backend, kernels);
  }
  return kernels;
}

/** Frees the scratch memory. */
export function unload(backend: WasmBackend): void {
  loaded.get(backend)?.free();
  loaded.delete(backend);
}

function load(backend: WasmBackend): Loaded {
  const memory = heapOf(backend);
  if (memory === undefined) {
    throw new SlowlaneError(
      'UNSUPPORTED',
      `This version of @tensorflow/tfjs-backend-wasm does not show its memory. Install version 4.22.`,
    );
  }
  const compiled = compile(memory);
  let at = 0;
  let size = 0;
  return {
    compiled,
    scratch(bytes) {
      if (bytes > size) {
        backend.wasm._free(at); // frees nothing at 0
        at = size = 0; // there may be no room for more
        at = backend.wasm._malloc(bytes) >>> 0; // signed above 2 GiB
        size = bytes;
      }
      return at;
    },
    free: () => backend.wasm._free(at),
  };
}

function compile(memory: WebAssembly.Memory): Compiled {
  const isShared =
    typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
  const bytes = atob((isShared ? sharedModules : unsharedModules).kernels);
  try {
    const module = new WebAssembly.Module(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    return exports as unknown as Compiled;
  } catch (cause) {
    throw new SlowlaneError(
      'UNSUPPORTED',
      `The kernels need WebAssembly with SIMD. Use a current browser or Node.`,
      {},
      { cause },
    );
  }
}
