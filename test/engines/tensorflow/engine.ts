// The engine on real libtensorflow, and what its tests look at inside.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import { startTensorFlow, type TensorFlowEngine } from 'slowlane/tensorflow';

import { isTensorFlowBackend, type TensorFlowBackend } from '#src/tfjs/tensorflow-backend.js';

export async function start(): Promise<{ engine: TensorFlowEngine; backend: TensorFlowBackend }> {
  const engine = await startTensorFlow();
  const { backend } = engine;
  if (!isTensorFlowBackend(backend)) throw new Error('This is not the backend of tfjs-node.');
  return { engine, backend };
}

/** The names of TensorFlow's ops that `work` runs; `onOp` is told of each before it runs. */
export function opsOf(
  backend: TensorFlowBackend,
  work: () => void,
  onOp: (name: string) => void = () => {},
): string[] {
  const names: string[] = [];
  const stop = watchOps(backend, (name) => {
    names.push(name);
    onOp(name);
  });
  try {
    work();
  } finally {
    stop();
  }
  return names;
}

/** Until the function that it returns is called, `onOp` is told of each op of TensorFlow before it runs. */
export function watchOps(backend: TensorFlowBackend, onOp: (name: string) => void): () => void {
  const { binding } = backend;
  const watched = Object.create(binding) as typeof binding;
  const executeOp: typeof binding.executeOp = (name, ...rest) => {
    onOp(name);
    return binding.executeOp(name, ...rest);
  };
  Object.defineProperty(watched, 'executeOp', { value: executeOp });
  const holder = backend as { binding: typeof binding };
  holder.binding = watched;
  return () => {
    holder.binding = binding;
  };
}

/** Values of `size` elements, none of them special. */
export function values(size: number, seed: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7 + seed) + 0.01);
}

export function variable(shape: number[], seed: number): tf.Variable {
  const size = tf.util.sizeFromShape(shape);
  return tf.tidy(() => tf.variable(tf.tensor(values(size, seed), shape)));
}
