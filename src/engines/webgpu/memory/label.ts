// Says what device memory is for, where the backend cannot know by itself.
//
// It does know weights and moments (variables, by `trainable` and their names), gradients (what a backward
// pass makes), staging and the pool. On other backends a label means nothing.

import * as tf from '@tensorflow/tfjs-core';

import type { Category } from '../../../engine/categories.js';

/** The categories that a label can give. */
export type Label = Exclude<Category, 'pool' | 'staging'>;

export interface LabellingBackend extends tf.KernelBackend {
  /** For memory allocated from now on; null for what the backend knows by itself. */
  ambientLabel: Label | null;
  labelTensor(label: Label, tensor: tf.Tensor): void;
  /** Of data that is no variable's, or that a variable is about to leave. */
  labelData(label: Label, dataId: object): void;
}

export function isLabelling(backend: tf.KernelBackend): backend is LabellingBackend {
  return 'labelTensor' in backend;
}

/**
 * Counts the memory of a tensor under `label`. Backends that count by tensors ignore it.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { label } from 'slowlane/webgpu';
 *
 * const data = label('activations', () => tf.zeros([64, 784]));
 * label('weights', data);
 * ```
 */
export function label(label: Label, what: tf.Tensor): void;
/**
 * Counts all that a synchronous function allocates under `label`, and returns its result. Backends that count by tensors
 * ignore the label.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { label } from 'slowlane/webgpu';
 *
 * const data = label('activations', () => tf.zeros([64, 784]));
 * label('weights', data);
 * ```
 */
export function label<T>(label: Label, what: () => T): T;
export function label<T>(label: Label, what: tf.Tensor | (() => T)): T | void {
  const backend = tf.backend();
  if (what instanceof tf.Tensor) {
    if (isLabelling(backend)) backend.labelTensor(label, what);
    return;
  }
  if (!isLabelling(backend)) return what();
  const before = backend.ambientLabel;
  backend.ambientLabel = label;
  try {
    return what();
  } finally {
    backend.ambientLabel = before;
  }
}
