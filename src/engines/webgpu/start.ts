/**
 * Starts the WebGPU engine: with the WebGPU of a browser, Deno or Electron, in Node and Bun with the package `webgpu`.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../../checks/errors.js';
import { checkBoolean, checkChoice, checkKeys, shown } from '../../checks/check.js';
import { parseBytes } from '../../checks/bytes.js';
import { engineOf, registerEngine, unregisterEngine } from '../../engine/engine.js';
import { genericDevice } from '../portable/devices.js';
import { type AdapterWish, chooseAdapter, requestDevice } from './adapters.js';
import type { DeviceMemory } from './memory/breakdown.js';
import { ApartBytes, type DeviceBytes, SubAllocatedBytes } from './memory/device-bytes.js';
import { registerGuardedKernels } from './guarded-kernels.js';
import type { BudgetedBackend } from './budgeted-backend.js';
import { DeviceBlendStore } from './blend/device-blend-store.js';
import { HostMoments } from './host-memory/host-moments.js';
import { openGpu } from './open-gpu.js';
import { PoolMeter } from './memory/pool-meter.js';
import { inPlaceUpdates } from './update/update-in-place.js';

/** The name of the backend in TensorFlow.js. */
export const BACKEND_NAME = 'slowlane-webgpu';

/** Options of `startWebGPU()`. */
export interface WebGPUOptions {
  /**
   * The most bytes that may be allocated on the device: `'2GiB'`, `'512MiB'`, `'1.5 GB'` or a number of bytes. What does
   * not fit throws a `VramBudgetError`. Default: no limit.
   */
  readonly vramBudget?: string | number;
  /** Part of the adapter's name, in any case. It can also name a software adapter beside a GPU. */
  readonly adapter?: string;
  /** Which of several GPUs. Default `'high-performance'`. */
  readonly powerPreference?: 'high-performance' | 'low-power';
  /** Use a software adapter, with a warning, if there is no GPU. Default true. */
  readonly allowSoftware?: boolean;
  /**
   * With the package `webgpu` only. Places buffers under 4 MiB together in heaps of 8 MiB, as browsers do: up to twice their bytes, which are counted,
   * but few allocations. For drivers that allow 4,096 allocations, and models with more tensors. Default false.
   */
  readonly subAllocate?: boolean;
}

/** The running engine. */
export interface WebGPUEngine {
  /** The backend of TensorFlow.js. */
  readonly backend: BudgetedBackend;
  /** The adapter it runs on. */
  readonly adapter: {
    /** Its name and driver. */
    readonly name: string;
    /** True if it computes on the CPU, which is slow. */
    readonly software: boolean;
  };
  /** The limits of the device. */
  readonly limits: GPUSupportedLimits;
  /** The budget; Infinity without one. */
  readonly budgetBytes: number;
  /** Reads how many bytes are allocated now, by category. */
  readonly memory: () => DeviceMemory;
  /**
   * Removes the backend and frees everything on the device. The previous backend is the current one again, and
   * `startWebGPU` can be called again.
   */
  readonly stop: () => void;
}

let hasWarned = false;
/** One at a time: a call that is not awaited has no backend yet. */
let isStarting = false;

/**
 * Makes WebGPU the backend of TensorFlow.js, with a hard memory budget; errors of the device are thrown. An engine whose
 * device is lost is stopped first.
 *
 * @throws TypeError or RangeError on a wrong option.
 * @throws SlowlaneError UNSUPPORTED if there is no such adapter; PACKAGE_MISSING if a package cannot be loaded;
 * WRONG_STATE if the engine runs already; DEVICE_FAILED if TensorFlow.js cannot use the device.
 * @example
 * ```ts
 * import { startWebGPU } from 'slowlane/webgpu';
 *
 * const gpu = await startWebGPU({ vramBudget: '2GiB' });
 * console.log(gpu.adapter.name, gpu.memory().allocatedBytes);
 * gpu.stop();
 * ```
 */
export async function startWebGPU(options?: WebGPUOptions): Promise<WebGPUEngine> {
  const checked = checkOptions(options);
  removeLost();
  if (isStarting || tf.findBackendFactory(BACKEND_NAME) !== null) {
    throw new SlowlaneError(
      'WRONG_STATE',
      `The WebGPU engine is running already. Call its stop() first, which frees all that is on the device.`,
    );
  }
  isStarting = true;
  try {
    return await start(checked);
  } finally {
    isStarting = false;
  }
}

async function start({ budgetBytes, wish, subAllocate }: Checked): Promise<WebGPUEngine> {
  const before = backendInUse();
  const { gpu, node, define } = await openGpu(subAllocate);
  const chosen = await chooseAdapter(gpu, node, wish);
  define(chosen.gpu);
  const { adapter, name, software } = chosen;
  if (software) warnOnce(name);
  const device = await requestDevice(adapter);
  const deviceBytes = node === null || subAllocate ? new SubAllocatedBytes() : new ApartBytes();
  const backend = await register(device, adapter.info, budgetBytes, deviceBytes);
  return {
    backend,
    adapter: { name, software },
    limits: device.limits,
    budgetBytes,
    memory: () => backend.deviceMemory(),
    stop: () => {
      if (tf.findBackend(BACKEND_NAME) !== backend) return;
      const isCurrent = tf.getBackend() === BACKEND_NAME;
      tf.removeBackend(BACKEND_NAME);
      unregisterEngine(backend);
      // At once, since it has begun before. Without it the next op would look for tfjs's own webgpu.
      const isThere = before !== undefined && tf.findBackendFactory(before) !== null;
      if (isCurrent && isThere) void tf.setBackend(before);
    },
  };
}

/** An engine whose device is lost is in nobody's way. */
function removeLost(): void {
  if (isStarting || tf.findBackendFactory(BACKEND_NAME) === null) return;
  const backend = tf.findBackend(BACKEND_NAME);
  if (engineOf(backend)?.lost?.() != null) tf.removeBackend(BACKEND_NAME);
}

interface Checked {
  readonly budgetBytes: number;
  readonly wish: AdapterWish;
  readonly subAllocate: boolean;
}

function checkOptions(given: unknown): Checked {
  const names = ['vramBudget', 'adapter', 'powerPreference', 'allowSoftware', 'subAllocate'];
  const options = checkKeys('startWebGPU()', given, names);
  const {
    vramBudget,
    adapter,
    powerPreference = 'high-performance',
    allowSoftware = true,
    subAllocate = false,
  } = options;
  if (adapter !== undefined && (typeof adapter !== 'string' || adapter.trim() === '')) {
    throw new TypeError(`adapter must be part of an adapter's name, got ${shown(adapter)}.`);
  }
  return {
    budgetBytes: vramBudget === undefined ? Infinity : parseBytes('vramBudget', vramBudget),
    subAllocate: checkBoolean('subAllocate', subAllocate),
    wish: {
      adapter: adapter?.trim(),
      allowSoftware: checkBoolean('allowSoftware', allowSoftware),
      powerPreference: checkChoice('powerPreference', powerPreference, [
        'high-performance',
        'low-power',
      ]),
    },
  };
}

/** The backend that is in use; else the one that needs no time to begin, if it is there. */
function backendInUse(): string | undefined {
  return tf.getBackend() || (tf.findBackendFactory('cpu') === null ? undefined : 'cpu');
}

async function register(
  device: GPUDevice,
  info: GPUAdapterInfo,
  budgetBytes: number,
  deviceBytes: DeviceBytes,
): Promise<BudgetedBackend> {
  // Not before WebGPU's globals are there: tfjs's module looks for them as it is loaded.
  const { BudgetedBackend } = await importBackend();
  registerGuardedKernels(BACKEND_NAME);
  const backend = new BudgetedBackend(device, info, budgetBytes, deviceBytes);
  tf.registerBackend(BACKEND_NAME, () => backend);
  if (!(await tf.setBackend(BACKEND_NAME))) {
    tf.removeBackend(BACKEND_NAME);
    throw new SlowlaneError('DEVICE_FAILED', `TensorFlow.js could not use the WebGPU backend.`);
  }
  registerEngine(backend, {
    device: genericDevice,
    update: inPlaceUpdates(backend).update,
    slowStore: (options) => new DeviceBlendStore(backend, options),
    offloadedState: () => new HostMoments(backend),
    meter: (sink) => new PoolMeter(backend, sink),
    budgetBytes,
    lost: () => backend.errors.loss,
  });
  return backend;
}

async function importBackend(): Promise<typeof import('./budgeted-backend.js')> {
  try {
    return await import('./budgeted-backend.js');
  } catch (cause) {
    throw new SlowlaneError(
      'PACKAGE_MISSING',
      `The WebGPU engine needs the package '@tensorflow/tfjs-backend-webgpu', which could not be loaded. ` +
        `Install it: npm install @tensorflow/tfjs-backend-webgpu@4.22.0`,
      { package: '@tensorflow/tfjs-backend-webgpu' },
      { cause },
    );
  }
}

function warnOnce(name: string): void {
  if (hasWarned) return;
  hasWarned = true;
  console.warn(
    `slowlane: '${name}' is a software adapter. WebGPU runs on the CPU, many times slower than on a GPU.`,
  );
}
