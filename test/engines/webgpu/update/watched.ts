import type { Backend } from './webgpu.js';

/** What reached the device while `run` ran. */
export interface Watched {
  dispatches: number;
  submits: number;
  newBuffers: number;
  reads: number;
  peakBytesUsed: number;
}

export function watched(backend: Backend, run: () => void): Watched {
  const seen: Watched = { dispatches: 0, submits: 0, newBuffers: 0, reads: 0, peakBytesUsed: 0 };
  const { device, queue, bufferManager } = backend;
  // What was recorded before counts for itself.
  backend.endComputePassEncoder();
  if (backend.commandEncoder !== null) backend.submitQueue();
  const undo = [
    replace(device, 'createCommandEncoder', (original) => (...given) => {
      const encoder = original(...given);
      replace(encoder, 'beginComputePass', (begin) => (...passGiven) => {
        const pass = begin(...passGiven);
        replace(pass, 'dispatchWorkgroups', (dispatch) => (...size) => {
          seen.dispatches += 1;
          return dispatch(...size);
        });
        return pass;
      });
      return encoder;
    }),
    replace(device, 'createBuffer', (original) => (descriptor) => {
      seen.newBuffers += 1;
      if ((descriptor.usage & GPUBufferUsage.MAP_READ) !== 0) seen.reads += 1;
      return original(descriptor);
    }),
    replace(queue, 'submit', (original) => (commands) => {
      seen.submits += 1;
      return original(commands);
    }),
    replace(bufferManager, 'acquireBuffer', (original) => (...given) => {
      const buffer = original(...given);
      seen.peakBytesUsed = Math.max(seen.peakBytesUsed, bufferManager.numBytesUsed);
      return buffer;
    }),
  ];
  try {
    run();
  } finally {
    for (const restore of undo) restore();
  }
  return seen;
}

type Callable = (...given: never[]) => unknown;

/** Puts a function of its own over a method of `object`; returns what takes it away. */
function replace<T extends object, K extends keyof T>(
  object: T,
  name: K,
  make: (original: T[K] & Callable) => T[K],
): () => void {
  const method = object[name] as T[K] & Callable;
  const original = method.bind(object) as T[K] & Callable;
  Object.defineProperty(object, name, { value: make(original), configurable: true });
  return () => {
    Reflect.deleteProperty(object, name);
  };
}
