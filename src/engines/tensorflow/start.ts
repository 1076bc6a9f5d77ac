/** Starts the TensorFlow engine: tfjs-node-gpu or tfjs-node, whichever is there. */
import * as tf from '@tensorflow/tfjs-core';
import { checkChoice, checkKeys, shown } from '../../checks/check.js';
import { engineOf, registerEngine } from '../../engine/engine.js';
import { isTensorFlowBackend } from '../../tfjs/tensorflow-backend.js';
import { tensorflowDevice } from './adapter.js';
import { halfTransfers } from './halves.js';
import { loadPackage } from './load.js';
import { loadError, TensorFlowLoadError } from './load-error.js';
import { readMemory, type TensorFlowMemory } from './memory.js';
import { inPlaceUpdates } from './update-in-place.js';

/** The name of the backend in TensorFlow.js. */
const BACKEND_NAME = 'tensorflow';

/** Options of `startTensorFlow()`. */
export interface TensorFlowOptions {
  /**
   * The folder of a built tfjs-node or tfjs-node-gpu that is not among the project's packages. Default: the environment
   * variable SLOWLANE_TENSORFLOW, if it is set.
   */
  readonly packageFolder?: string;
  /** `'gpu'`: throw if TensorFlow uses no GPU. Default `'any'`: then it computes on the CPU. */
  readonly device?: 'any' | 'gpu';
  /**
   * How slow weights of fp16 (`slow: 'host:f16'`) cross the bus. Default `'float'`: worker threads blend them.
   * `'half'`: TensorFlow blends them, and half the bytes cross; whether that gains time on a GPU is not measured yet.
   */
  readonly transfers?: 'float' | 'half';
}

/** The running engine. */
export interface TensorFlowEngine {
  /** The backend of TensorFlow.js. */
  readonly backend: tf.KernelBackend;
  /** Where TensorFlow computes. */
  readonly device: 'gpu' | 'cpu';
  /** The package that was loaded. */
  readonly package: string;
  /** The version of libtensorflow. */
  readonly version: string;
  /** True if sgd, momentum, adam, adamw and rmsprop with momentum use TensorFlow's fused ops. */
  readonly updatesInPlace: boolean;
  /** How slow weights of fp16 cross the bus; `'float'` too if this TensorFlow lacks the ops for halves. */
  readonly transfers: 'half' | 'float';
  /** Reads how much memory TensorFlow holds. */
  readonly memory: () => Promise<TensorFlowMemory>;
}

/**
 * Makes TensorFlow the backend of TensorFlow.js.
 *
 * @throws TypeError or RangeError on a wrong option.
 * @throws TensorFlowLoadError (PACKAGE_MISSING, or UNSUPPORTED without the GPU that was asked for) if no package can be loaded;
 * its `remedy` says what to do.
 * @example
 * ```ts
 * import { startTensorFlow, TensorFlowLoadError } from 'slowlane/tensorflow';
 *
 * try {
 *   const { device, version } = await startTensorFlow();
 *   console.log(device, version);
 * } catch (error) {
 *   if (!(error instanceof TensorFlowLoadError)) throw error;
 *   console.log(error.problem, error.remedy);
 * }
 * ```
 */
export async function startTensorFlow(options?: TensorFlowOptions): Promise<TensorFlowEngine> {
  const { packageFolder, device, transfers } = checkOptions(options);
  const before = tf.getBackend(); // the package's import makes its own the current one
  try {
    const name = await loadPackage(packageFolder);
    return await open(name, device, transfers);
  } catch (error) {
    if (before && before !== tf.getBackend()) await tf.setBackend(before);
    throw error;
  }
}

function checkOptions(
  given: unknown,
): Required<Pick<TensorFlowOptions, 'device' | 'transfers'>> & TensorFlowOptions {
  const options = checkKeys('startTensorFlow()', given, ['packageFolder', 'device', 'transfers']);
  const { packageFolder, device = 'any', transfers = 'float' } = options;
  if (packageFolder !== undefined && (typeof packageFolder !== 'string' || packageFolder === '')) {
    throw new TypeError(`packageFolder must be the path of a folder, got ${shown(packageFolder)}.`);
  }
  return {
    ...(packageFolder !== undefined && { packageFolder }),
    device: checkChoice('device', device, ['any', 'gpu']),
    transfers: checkChoice('transfers', transfers, ['float', 'half']),
  };
}

async function open(
  name: string,
  device: 'any' | 'gpu',
  transfers: 'float' | 'half',
): Promise<TensorFlowEngine> {
  // A backend that does not start is only logged by tfjs.
  const hasStarted = await tf.setBackend(BACKEND_NAME);
  const backend = hasStarted ? tf.backend() : null;
  if (backend === null || !isTensorFlowBackend(backend)) {
    const what = hasStarted
      ? `the backend of ${name} is not that of tfjs-node 4.22.`
      : `${name} is loaded, but its backend did not start.`;
    throw new TensorFlowLoadError('failed', name, what);
  }
  try {
    // What does not fit shows at the first op: this one takes every helper of the package.
    tf.tidy(() => tf.topk(tf.add(tf.tensor1d([1, 2]), 1), 1).values.dataSync());
  } catch (error) {
    throw loadError(error, name);
  }
  if (device === 'gpu' && !backend.isUsingGpuDevice) {
    throw new TensorFlowLoadError('no-gpu', name, `${name} found no GPU that it can use.`);
  }
  const halves = transfers === 'half' ? halfTransfers(backend) : null;
  // Started again, the engine keeps the resources that its updates made.
  const update = engineOf(backend)?.update ?? inPlaceUpdates(backend);
  registerEngine(backend, {
    device: tensorflowDevice(backend, halves),
    ...(update !== null && { update }),
  });
  return {
    backend,
    device: backend.isUsingGpuDevice ? 'gpu' : 'cpu',
    package: name,
    version: backend.binding.TF_Version,
    updatesInPlace: update !== null,
    transfers: halves === null ? 'float' : 'half',
    memory: () => readMemory(backend.binding),
  };
}
