// The devices that cells run on: slowlane's engine, tfjs's stock backend on a device of its own, and a
// bare device without TensorFlow.js. All have the adapter's limits.

import * as tf from '@tensorflow/tfjs-core';

import { type ChosenAdapter, chooseAdapter, requestDevice } from '../../engines/webgpu/adapters.js';
import { startWebGPU, type WebGPUEngine } from '../../engines/webgpu/start.js';
import { type WebGPUBackendParts, webgpuParts } from '../../tfjs/webgpu-backend.js';
import { workDone } from '../../engines/webgpu/waiting.js';
import { openGpu } from '../../engines/webgpu/open-gpu.js';

/** What a workload is made on, and trains on. */
export interface TrainingDevice {
  /** Resolves when all is done that it was given; throws the first error since the last call. */
  finished(): Promise<void>;
  /** Brings `tensor` to the device now, and waits: staging memory of several would add up. */
  upload(tensor: tf.Tensor): Promise<void>;
}

/** Whoever counts what the device and TensorFlow.js do from the beginning. */
export interface Watcher {
  watchBuffers(device: GPUDevice): void;
  watchTensors(): void;
}

/** Nobody counts. */
export const UNWATCHED: Watcher = { watchBuffers() {}, watchTensors() {} };

export class BareDevice {
  readonly device: GPUDevice;
  readonly #errors: Error[] = [];

  constructor(device: GPUDevice, watcher: Watcher) {
    this.device = device;
    watcher.watchBuffers(device);
    // Dawn says nothing else of an allocation that failed; the numbers after it would be of no step at all.
    device.addEventListener('uncapturederror', ({ error }) => {
      this.#errors.push(new Error(`${error.constructor.name}: ${error.message}`));
    });
    void device.lost.then(({ reason, message }) => {
      this.#errors.push(new Error(`The device was lost (${reason}): ${message}`));
    });
  }

  /** Resolves when the GPU has done all it was given; throws the first error since the last call. */
  async finished(): Promise<void> {
    this.flush();
    await workDone(this.device);
    const [error] = this.#errors.splice(0);
    if (error !== undefined) throw error;
  }

  flush(): void {}
}

/** A device with a backend of TensorFlow.js on it, which is the current one. */
export class TensorDevice extends BareDevice implements TrainingDevice {
  readonly #backend: WebGPUBackendParts;

  constructor(backend: WebGPUBackendParts, watcher: Watcher) {
    super(backend.device, watcher);
    this.#backend = backend;
    watcher.watchTensors();
  }

  override flush(): void {
    if (this.#backend.commandEncoder === null) return;
    this.#backend.endComputePassEncoder();
    this.#backend.submitQueue();
  }

  async upload(tensor: tf.Tensor): Promise<void> {
    this.#backend.uploadToGPU(tensor.dataId);
    await this.finished();
  }
}

/** With slowlane's engine, which can say what holds how much. */
export class OurDevice extends TensorDevice {
  readonly engine: WebGPUEngine;

  constructor(engine: WebGPUEngine, watcher: Watcher) {
    super(engine.backend.parts, watcher);
    this.engine = engine;
  }
}

export async function openOurs(
  adapter: string | undefined,
  watcher: Watcher,
  vramBudget?: number,
): Promise<OurDevice> {
  const options = {
    ...(adapter === undefined ? {} : { adapter }),
    ...(vramBudget === undefined ? {} : { vramBudget }),
  };
  return new OurDevice(await startWebGPU(options), watcher);
}

export async function openStock(
  adapter: string | undefined,
  watcher: Watcher,
): Promise<TensorDevice> {
  const chosen = await findAdapter(adapter);
  const device = await requestDevice(chosen.adapter);
  // Not before WebGPU's globals are there: the module looks for them as it is loaded.
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  const backend = new WebGPUBackend(device, chosen.adapter.info);
  tf.removeBackend('webgpu'); // would ask for an adapter by itself, in a way that Dawn refuses
  tf.registerBackend('webgpu', () => backend);
  if (!(await tf.setBackend('webgpu'))) throw new Error("tfjs's WebGPU backend could not be used.");
  return new TensorDevice(webgpuParts(backend), watcher);
}

export async function openBare(adapter: string | undefined, watcher: Watcher): Promise<BareDevice> {
  const chosen = await findAdapter(adapter);
  return new BareDevice(await requestDevice(chosen.adapter), watcher);
}

export async function findAdapter(adapter: string | undefined): Promise<ChosenAdapter> {
  const { gpu, node, define } = await openGpu();
  const chosen = await chooseAdapter(gpu, node, {
    adapter,
    powerPreference: 'high-performance',
    allowSoftware: true,
  });
  define(chosen.gpu);
  return chosen;
}
