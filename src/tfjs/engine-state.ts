// TensorFlow.js's engine: what it is doing now, and a look at its kernels. Private parts of tfjs-core 4.22 (`engine.js`).

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';

interface EngineState {
  /** The recorded operations; null or undefined when no gradient is being computed. */
  activeTape?: { readonly saved: tf.Tensor[] }[] | null;
  /** Above 0 in a forward pass that is being recorded. */
  readonly gradientDepth: number;
  /** The open scopes of `tidy`, by their names. */
  readonly scopeStack: readonly { readonly name: string }[];
}

function engineState(): EngineState {
  return tf.engine().state as unknown as EngineState;
}

/** @throws SlowlaneError UNSUPPORTED unless tfjs's engine is as this file knows it. */
export function checkEngineState(): void {
  const missing = ['gradientDepth', 'scopeStack'].filter((part) => !(part in engineState()));
  if (missing.length === 0) return;
  throw new SlowlaneError(
    'UNSUPPORTED',
    `slowlane/webgpu needs TensorFlow.js 4.22; this version has no ${missing.join(', ')}. ` +
      `Install @tensorflow/tfjs-core@4.22.`,
    { missing },
  );
}

/** True in a forward pass that is recorded for a gradient. */
export function isRecording(): boolean {
  return engineState().gradientDepth > 0;
}

/** `forward` only while it is recorded for a gradient. */
export function activityNow(): 'forward' | 'backward' | 'other' {
  const { activeTape, scopeStack } = engineState();
  if (isRecording()) return 'forward';
  if ((activeTape?.length ?? 0) > 0) return 'backward';
  // A pass that releases its gradients keeps its tape to itself, and the name of its scope.
  for (const { name } of scopeStack) if (name === 'backward') return 'backward';
  return 'other';
}

/**
 * Disposes what a gradient computation that was broken off has saved for its backward pass. This reaches tfjs's
 * current tape only: code that puts a tape aside must drop it itself.
 */
export function dropTape(): void {
  const state = engineState();
  if (!state.activeTape) return;
  for (const { saved } of state.activeTape) {
    for (const tensor of saved) if (!tensor.isDisposed) tensor.dispose();
  }
  state.activeTape = [];
}

/** Computes gradients. If that fails, nothing stays behind that the forward pass had saved for the backward pass. */
export function gradientsWhole<T extends tf.TensorContainer>(compute: () => T): T {
  try {
    // The tidy frees what else a failing loss, or one of the wrong shape, leaves.
    return tf.tidy(compute);
  } catch (error) {
    // Within the loss of another gradient the tape is that one's.
    if (!isRecording()) dropTape();
    throw error;
  }
}

/** Runs `run`, and calls `begins` with the inputs of each kernel before it runs. If `begins` throws, the kernel does not run. */
export function watchKernels<T>(begins: (inputs: readonly tf.Tensor[]) => void, run: () => T): T {
  const engine = tf.engine();
  const before = Object.getOwnPropertyDescriptor(engine, 'runKernel');
  const runKernel = engine.runKernel.bind(engine);
  const watched: typeof runKernel = (name, inputs, attrs) => {
    begins(Object.values(inputs));
    return runKernel(name, inputs, attrs);
  };
  Object.defineProperty(engine, 'runKernel', { value: watched, configurable: true });
  try {
    return run();
  } finally {
    if (before === undefined) Reflect.deleteProperty(engine, 'runKernel');
    else Object.defineProperty(engine, 'runKernel', before);
  }
}

/** Calls `note` with `tf.memory().numBytes` now and after each new tensor, from now on. */
export function watchTensorBytes(note: (bytes: number) => void): void {
  const engine = tf.engine();
  const track = engine.trackTensor.bind(engine);
  note(engine.state.numBytes);
  engine.trackTensor = (tensor, backend) => {
    track(tensor, backend);
    note(engine.state.numBytes);
  };
}
