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
  // The casts name what workers/assembly exports. Positions above 2 GiB need no care: at the call WebAssembly
  // takes a number modulo 2^32.
  const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports;
  const packs = kernels as unknown as Record<`pack${Suffix}`, PackKernel>;
  const unpacks = kernels as unknown as Record<`unpack${Suffix}`, UnpackKernel>;
  return {
    blend: kernels['blend'] as BlendKernels['blend'],
    copy: kernels['copy'] as BlendKernels['copy'],
    dequantize(format, fromByte, toByte, length) {
      unpacks[`unpack${SUFFIXES[format]}`](fromByte, toByte, length);
    },
    quantize(format, fromByte, toByte, length, start, { item, round }) {
      packs[`pack${SUFFIXES[format]}`](fromByte, toByte, length, start, item, round);
    },
  };
}

/** In the names of the functions of workers/assembly/codecs.ts. */
const SUFFIXES = { f16r8: 'F16r8', f16: 'F16', bf16: 'Bf16', int8: 'Int8' } as const;

type Suffix = (typeof SUFFIXES)[keyof typeof SUFFIXES];
type UnpackKernel = (fromByte: number, toByte: number, length: number) => void;
type PackKernel = (
  fromByte: number,
  toByte: number,
  length: number,
  start: number,
  item: number,
  round: number,
) => void;

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
  // Under 4 KiB: small enough to be compiled synchronously on a browser's main thread too.
  return new WebAssembly.Module(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
}
