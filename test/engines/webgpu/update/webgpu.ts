import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import { create, globals } from 'webgpu';
import { afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { UpdateCounts } from '#src/engines/webgpu/update/update-in-place.js';
import { updateInPlaceOn } from './in-place.js';
import { adagrad, adam, adamw, lion, momentum, rmsprop, sgd } from '#src/optimizers/index.js';
import { unregisterEngine } from '#src/engine/engine.js';
import type { StepOptions } from '#src/optimizers/step-options.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';

/** What the tests look at in tfjs's backend. */
export interface Backend extends tf.KernelBackend {
  readonly device: GPUDevice;
  readonly queue: GPUQueue;
  readonly bufferManager: {
    readonly numBytesUsed: number;
    readonly numBytesAllocated: number;
    acquireBuffer(...given: unknown[]): GPUBuffer;
  };
  readonly tensorMap: { get(dataId: object): { resource?: GPUBuffer } };
  readonly commandEncoder: GPUCommandEncoder | null;
  uploadToGPU(dataId: object): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

/** Software WebGPU; errors of the device, silent otherwise, are thrown by `noErrors`. */
export async function startSoftwareWebGPU(): Promise<Backend> {
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu: create([]) },
    configurable: true,
  });
  await import('@tensorflow/tfjs-backend-webgpu');
  if (!(await tf.setBackend('webgpu'))) throw new Error('There is no WebGPU adapter.');
  const backend = tf.backend() as Backend;
  backend.device.addEventListener('uncapturederror', ({ error }) => errors.push(error.message));
  return backend;
}

const errors: string[] = [];

/** Each test of a file gets counts that begin at 0, and may leave neither a tensor nor a device error. */
export function eachWithFreshCounts(take: (backend: Backend, counts: UpdateCounts) => void): void {
  let backend: Backend;
  let tensorsBefore = 0;
  beforeAll(async () => {
    backend = await startSoftwareWebGPU();
  });
  beforeEach(() => {
    tensorsBefore = tf.memory().numTensors;
    take(backend, updateInPlaceOn(backend).counts);
  });
  afterEach(async () => {
    tf.disposeVariables();
    expect(tf.memory().numTensors).toBe(tensorsBefore);
    await noErrors(backend);
  });
}

/** Waits for the queue, for errors come late. */
export async function noErrors({ queue }: Backend): Promise<void> {
  await queue.onSubmittedWorkDone();
  if (errors.length > 0) throw new Error(errors.splice(0).join('\n'));
}

/** Runs `steps` with plain tensor operations. */
export async function portably<T>(backend: Backend, steps: () => Promise<T>): Promise<T> {
  unregisterEngine(backend);
  try {
    return await steps();
  } finally {
    updateInPlaceOn(backend);
  }
}

export type Make = (options?: StepOptions) => WeightwiseOptimizer;

export const RULES: readonly [name: string, slots: number, make: Make][] = [
  ['sgd', 0, (options) => sgd(options)],
  ['momentum', 1, (options) => momentum(options)],
  ['nesterov', 1, (options) => momentum({ nesterov: true, ...options })],
  ['adagrad', 1, (options) => adagrad(options)],
  ['rmsprop', 1, (options) => rmsprop(options)],
  [
    'rmsprop, all',
    3,
    (options) => rmsprop({ momentum: 0.5, centered: true, epsilon: 1e-3, ...options }),
  ],
  ['adam', 2, (options) => adam(options)],
  ['adamw', 2, (options) => adamw(options)],
  ['lion', 1, (options) => lion({ weightDecay: 0.1, ...options })],
];

/** The same numbers on every run, from −1 to 1. */
export function noise(size: number, seed: number): Float32Array {
  let state = seed * 2_654_435_761 + 1;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state / 2 ** 31;
  });
}

/** `steps` steps with four gradients in turn; the weight and the slots afterwards. */
export async function trained(
  optimizer: WeightwiseOptimizer,
  size: number,
  steps: number,
): Promise<Float32Array[]> {
  const weight = variableOf(noise(size, 99));
  const gradients = [1, 2, 3, 4].map((seed) => tf.tensor1d(noise(size, seed)));
  try {
    for (let step = 0; step < steps; step++) {
      const gradient = gradients[step % 4] ?? null;
      optimizer.applyGradients([{ name: weight.name, tensor: gradient }]);
    }
    const results = [weight, ...optimizer.state().map(({ variable }) => variable)];
    const values: Float32Array[] = [];
    for (const tensor of results) values.push(await tensor.data<'float32'>());
    return values;
  } finally {
    optimizer.dispose();
    tf.dispose([weight, ...gradients]);
  }
}

/** A variable that nothing shares the data of. */
export function variableOf(values: Float32Array): tf.Variable {
  return tf.tidy(() => tf.variable(tf.tensor1d(values)));
}

/** The largest |a − b|, over the larger of |a| and the root mean square of all `a`. */
export function relativeDifference(a: Float32Array, b: Float32Array): number {
  const usual = Math.sqrt(a.reduce((sum, x) => sum + x * x, 0) / a.length);
  let largest = 0;
  for (const [i, x] of a.entries()) {
    const difference = Math.abs(x - (b[i] ?? NaN));
    if (difference === 0) continue;
    largest = Math.max(largest, difference / Math.max(Math.abs(x), usual));
  }
  return largest;
}
