/**
 * Starts the WebAssembly kernels on a memory, and falls back to the plain loops where that fails.
 */
import type { QuantizedFormat } from './codecs/value-format.js';
import { sharedModules, unsharedModules } from './kernels-wasm.js';
import { type BlendKernels, plainKernels } from './plain-kernels.js';

/**
 * Whether other threads can see this memory. Browsers without cross-origin isolation have no shared
 * memory at all.
 */
export function isShared(memory: WebAssembly.Memory): boolean {
  return typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
}

// A module says whether the memory it imports is shared, hence two builds of each. They are compiled once per thread,
// those of a format when it is first met.
type Modules = Record<keyof typeof sharedModules, string>;
const compiled = new Map<string, WebAssembly.Module>();

/** The SIMD kernels on this memory. Throws where the engine has no WebAssembly SIMD. */
export function simdKernels(memory: WebAssembly.Memory): BlendKernels {
  const modules: Modules = isShared(memory) ? sharedModules : unsharedModules;
  const start = (name: keyof Modules) =>
    new WebAssembly.Instance(compile(modules[name]), { env: { memory } }).exports;
  const codecs: Partial<Record<QuantizedFormat, CodecKernels>> = {};
  const codecOf = (format: QuantizedFormat): CodecKernels =>
    // The casts name what workers/assembly exports. Positions above 2 GiB need no care: at the call WebAssembly
    // takes a number modulo 2^32.
    (codecs[format] ??= start(format) as unknown as CodecKernels);
  const { blend, copy } = start('blend');
  return {
    blend: blend as BlendKernels['blend'],
    copy: copy as BlendKernels['copy'],
    dequantize(format, fromByte, toByte, length) {
      codecOf(format).unpack(fromByte, toByte, length);
    },
    quantize(format, fromByte, toByte, length, start, { item, round }) {
      codecOf(format).pack(fromByte, toByte, length, start, item, round);
    },
  };
}

/** What each of workers/assembly/codecs exports. */
interface CodecKernels {
  unpack(fromByte: number, toByte: number, length: number): void;
  pack(
    fromByte: number,
    toByte: number,
    length: number,
    start: number,
    item: number,
    round: number,
  ): void;
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
  let module = compiled.get(base64);
  if (module === undefined) {
    // At most 4 KiB each: small enough to be compiled synchronously on a browser's main thread too.
    module = new WebAssembly.Module(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
    compiled.set(base64, module);
  }
  return module;
}
