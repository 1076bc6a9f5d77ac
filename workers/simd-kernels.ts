/**
 * Starts the WebAssembly kernels on a memory, and falls back to the plain loops where that fails.
 */
import { sharedKernels, unsharedKernels } from './kernels-wasm.js';
import { type BlendKernels, plainKernels } from './plain-kernels.js';

/**
 * Whether other threads can see this memory. Browsers without cross-origin isolation have no shared
 * memory at all.
 */
export function isShared(memory: WebAssembly.Memory): boolean {
  return typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
}

// A module says whether the memory it imports is shared, hence two builds; each is compiled once
// per thread.
let sharedModule: WebAssembly.Module | undefined;
let unsharedModule: WebAssembly.Module | undefined;

/** The SIMD kernels on this memory. Throws where the engine has no WebAssembly SIMD. */
export function simdKernels(memory: WebAssembly.Memory): BlendKernels {
  const module = isShared(memory)
    ? (sharedModule ??= compile(sharedKernels))
    : (unsharedModule ??= compile(unsharedKernels));
  // The casts name what workers/assembly/blend.ts exports. Positions above 2 GiB need no care: at
  // the call WebAssembly takes a number modulo 2^32.
  const { blend, copy } = new WebAssembly.Instance(module, { env: { memory } }).exports;
  return { blend: blend as BlendKernels['blend'], copy: copy as BlendKernels['copy'] };
}

const kernelsByMemory = new WeakMap<WebAssembly.Memory, BlendKernels>();

/** The best kernels there are for this memory, made once per memory object. */
export function kernelsFor(memory: WebAssembly.Memory): BlendKernels {
  let kernels = kernelsByMemory.get(memory);
  if (kernels === undefined) {
    try {
      kernels = simdKernels(memory);
    } catch {
      kernels = plainKernels(memory); // the same bits, only slower
    }
    kernelsByMemory.set(memory, kernels);
  }
  return kernels;
}

function compile(base64: string): WebAssembly.Module {
  // Under 1 KiB: small enough to be compiled synchronously on a browser's main thread too.
  return new WebAssembly.Module(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
}
