// Engines without WebGPU: tfjs's own backends wasm and cpu, and TensorFlow. tfjs's own optimizer and slowlane's run
// on the same backend there. Nothing counts their allocators: all there is of tfjs's is the logical count.

import * as tf from '@tensorflow/tfjs-core';

import { startCpuBackend } from '../../engines/portable/start.js';
import { startWasm } from '../../engines/wasm/index.js';
import { startTensorFlow } from '../../engines/tensorflow/index.js';
import type { TrainingDevice, Watcher } from './devices.js';
import type { BenchEngine } from '../workloads/policies.js';

type PlainEngine = Exclude<BenchEngine, 'webgpu'>;

export class PlainDevice implements TrainingDevice {
  /** Null where an op is done when its call returns. */
  readonly #probe: tf.Tensor | null;

  constructor(isAsynchronous: boolean, watcher: Pick<Watcher, 'watchTensors'>) {
    this.#probe = isAsynchronous ? tf.zeros([1]) : null;
    watcher.watchTensors();
  }

  async finished(): Promise<void> {
    const probe = this.#probe;
    // A GPU does one op after the other: what is read now was computed last.
    if (probe !== null) tf.tidy(() => tf.add(probe, 1).dataSync());
  }

  /** Values are taken when they are made, or at the first use. */
  async upload(): Promise<void> {}
}

interface Started {
  readonly words: string;
  readonly usesGpu: boolean;
}

/** `words`: what it is. */
export async function startPlain(engine: PlainEngine): Promise<Started> {
  tf.enableProdMode(); // else the cpu backend advertises tfjs-node
  if (engine === 'tensorflow') {
    const { device, version, package: name } = await startTensorFlow();
    const words = `TensorFlow ${version} on the ${device.toUpperCase()} (${name})`;
    return { words, usesGpu: device === 'gpu' };
  }
  if (engine === 'wasm') await startWasm();
  else await startCpuBackend(engine);
  return { words: engine === 'cpu' ? 'cpu (JavaScript)' : await describeWasm(), usesGpu: false };
}

async function describeWasm(): Promise<string> {
  const { getThreadsCount } = await import('@tensorflow/tfjs-backend-wasm');
  const hasSimd = (await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')) === true;
  const hasThreads = (await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT')) === true;
  const threads = hasThreads ? getThreadsCount() : 1;
  return `wasm (${hasSimd ? 'SIMD' : 'no SIMD'}, ${threads} thread${threads === 1 ? '' : 's'})`;
}
