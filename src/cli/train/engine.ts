// Chooses the tfjs backend. `auto` takes the first that can train the model and starts. An explicit choice that can't
// is an error, and never replaced by another.

import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../../checks/errors.js';
import {
  BackendLoadError,
  type CpuBackendName,
  startCpuBackend,
} from '../../engines/portable/start.js';
import { startTensorFlow, TensorFlowLoadError } from '../../engines/tensorflow/index.js';
import { startWasm } from '../../engines/wasm/index.js';
import { startWebGPU } from '../../engines/webgpu/index.js';
import { type ModelName, needsConvolutions } from '../../models/names.js';
import type { EngineName } from './options.js';
import { reasonOf, RunError } from '../terminal/cli-error.js';

type RealEngineName = Exclude<EngineName, 'auto'>;

export interface Engine {
  readonly name: string;
  /** Why preferred engines were passed over; empty if none was. */
  readonly note: string;
  /** Host memory: slow weights, moments, and the buffers that they pass through. Undefined if the engine keeps none. */
  readonly hostBytes?: () => number;
}

type Started = Omit<Engine, 'note'>;

/** What `auto` tries after a GPU, in order. TensorFlow is worth its start for convolutions. */
const ORDER: readonly RealEngineName[] = ['wasm', 'cpu'];
const ORDER_FOR_CONVOLUTIONS: readonly RealEngineName[] = ['tensorflow', 'wasm', 'cpu'];

/** Each starts its backend, or throws a RunError. */
const START: Record<RealEngineName, (vramBudget?: number) => Promise<Started>> = {
  webgpu: (vramBudget) => openWebgpu(true, vramBudget),
  tensorflow: startTensorflow,
  wasm: () => startOnCpu('wasm', startWasm),
  cpu: () => startOnCpu('cpu', () => startCpuBackend('cpu')),
};

/** Starts the engine for `model` and makes it tfjs's current backend. */
export async function startEngine(
  wanted: EngineName,
  model: ModelName,
  vramBudget?: number,
): Promise<Engine> {
  tf.enableProdMode(); // else the cpu backend advertises tfjs-node on the terminal
  if (wanted !== 'auto') return { ...(await START[wanted](vramBudget)), note: '' };
  const gpu = await openWebgpu(false).catch(() => null); // `--engine webgpu` says why not
  if (gpu) return { ...gpu, note: '' };
  const passedOver: string[] = [];
  for (const candidate of needsConvolutions(model) ? ORDER_FOR_CONVOLUTIONS : ORDER) {
    try {
      return { ...(await START[candidate]()), note: passedOver.join('; ') };
    } catch (error) {
      passedOver.push(reasonOf(error).replace(/\.$/, ''));
    }
  }
  throw new RunError(
    `No engine could be started: ${passedOver.join('; ')}.`,
    'npm install @tensorflow/tfjs-backend-wasm @tensorflow/tfjs-backend-cpu',
  );
}

/** An adapter's name with its driver can be wider than the table. */
const LONGEST_NAME = 32;

async function openWebgpu(allowSoftware: boolean, vramBudget?: number): Promise<Started> {
  try {
    const budget = vramBudget === undefined ? {} : { vramBudget };
    const gpu = await startWebGPU({ allowSoftware, ...budget });
    return {
      name: `webgpu (${gpu.adapter.name.slice(0, LONGEST_NAME)})`,
      hostBytes: () => gpu.memory().hostBytes,
    };
  } catch (error) {
    throw new RunError(reasonOf(error), 'Or use --engine wasm or --engine cpu', { cause: error });
  }
}

async function startTensorflow(): Promise<Started> {
  try {
    const { device } = await startTensorFlow();
    return { name: `tensorflow (${device.toUpperCase()})` };
  } catch (error) {
    if (!(error instanceof TensorFlowLoadError)) throw error;
    throw new RunError(error.what, `${error.remedy} Or use --engine wasm or --engine cpu`, {
      cause: error,
    });
  }
}

async function startOnCpu(name: CpuBackendName, start: () => Promise<unknown>): Promise<Started> {
  try {
    await start();
  } catch (error) {
    if (!(error instanceof SlowlaneError)) throw error;
    const isMissing = error instanceof BackendLoadError;
    throw new RunError(
      isMissing ? error.what : error.message,
      isMissing ? error.remedy : 'Or use --engine cpu',
      { cause: error },
    );
  }
  return { name };
}
