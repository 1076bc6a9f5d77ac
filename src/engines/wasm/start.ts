/** Starts TensorFlow.js's wasm backend with kernels of ours, which make it fast and complete for training. */
import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';
import { formatBytes } from '../../checks/quantities.js';
import { registerEngine, unregisterEngine } from '../../engine/engine.js';
import { isWasmBackend, watchHeap } from '../../tfjs/wasm-backend.js';
import { startCpuBackend } from '../portable/start.js';
import { heapDevice } from './heap-device.js';
import { kernelsOn, unload } from './heap-kernels.js';
import { registerKernels } from './kernel-set.js';
import { inPlaceUpdates } from './update/update-in-place.js';

/** The running engine. */
export interface WasmEngine {
  /** The backend of TensorFlow.js. */
  readonly backend: tf.KernelBackend;
  /**
   * Puts the kernels of TensorFlow.js back and makes the previous backend the current one. Tensors stay as they are, and
   * `startWasm` can be called again.
   */
  readonly stop: () => void;
}

/** One at a time: a call that is not awaited has no kernels yet. */
let isRunning = false;

/**
 * Makes WebAssembly the backend of TensorFlow.js, with matrix products that are fast in backward passes too, and with the
 * kernels that training convolutions, embeddings and einsum needs. The optimizers of slowlane update weights in place there.
 *
 * In a browser call `setWasmPaths()` of `@tensorflow/tfjs-backend-wasm` first if its `.wasm` files are not beside the page.
 *
 * @throws SlowlaneError PACKAGE_MISSING if `@tensorflow/tfjs-backend-wasm` cannot be loaded or does not start; UNSUPPORTED if
 * it is another version or WebAssembly has no SIMD; WRONG_STATE if the engine runs already.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { startWasm } from 'slowlane/wasm';
 *
 * const wasm = await startWasm();
 * console.log(tf.getBackend()); // 'wasm'
 * wasm.stop();
 * ```
 */
export async function startWasm(): Promise<WasmEngine> {
  if (isRunning) {
    throw new SlowlaneError(
      'WRONG_STATE',
      `The wasm engine is running already. Call its stop() first.`,
    );
  }
  isRunning = true;
  try {
    return await start();
  } catch (error) {
    isRunning = false;
    throw error;
  }
}

async function start(): Promise<WasmEngine> {
  const before = tf.getBackend();
  await startCpuBackend('wasm');
  const backend = tf.backend();
  try {
    if (!isWasmBackend(backend)) throw notOurs();
    kernelsOn(backend); // throws where they cannot run
  } catch (error) {
    if (before && before !== 'wasm') await tf.setBackend(before);
    throw error;
  }
  const putBack = registerKernels();
  const unwatch = watchHeap(backend, full);
  registerEngine(backend, { device: heapDevice(backend), update: inPlaceUpdates(backend) });
  let hasStopped = false;
  return {
    backend,
    stop() {
      if (hasStopped) return;
      hasStopped = true;
      isRunning = false;
      unregisterEngine(backend);
      unwatch();
      putBack();
      const now = tf.findBackend('wasm') as tf.KernelBackend | null; // it may have been removed, or made anew
      if (now !== null && isWasmBackend(now)) unload(now);
      // At once, since it has begun before.
      const isThere = before && tf.findBackendFactory(before) !== null;
      if (isThere && tf.getBackend() === 'wasm') void tf.setBackend(before);
    },
  };
}

function full(bytes: number): never {
  throw new SlowlaneError(
    'OUT_OF_MEMORY',
    `The heap of the wasm backend, which is 4 GiB at most, has no ${formatBytes(bytes)} left. Dispose tensors, or take a smaller batch or model.`,
    { neededBytes: bytes },
  );
}

function notOurs(): SlowlaneError {
  return new SlowlaneError(
    'UNSUPPORTED',
    `The backend 'wasm' is not that of @tensorflow/tfjs-backend-wasm 4.22. Install it in that version.`,
  );
}
