// What TensorFlow.js is doing now, as far as its engine tells.

import * as tf from '@tensorflow/tfjs-core';

import { stateOf } from './webgpu-backend.js';

/** `forward` only while it is recorded for a gradient. */
export function activityNow(): 'forward' | 'backward' | 'other' {
  const { activeTape, gradientDepth, scopeStack } = stateOf(tf.engine());
  if (gradientDepth > 0) return 'forward';
  if ((activeTape?.length ?? 0) > 0) return 'backward';
  // A pass that releases its gradients keeps its tape to itself, and its scope's name.
  for (const { name } of scopeStack) if (name === 'backward') return 'backward';
  return 'other';
}
