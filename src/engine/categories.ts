// What device memory is for, and when in a step.

import type * as tf from '@tensorflow/tfjs-core';

/** In the order of every column and message. */
export const CATEGORIES = [
  'weights',
  'gradients',
  'moments',
  'staging',
  'activations',
  'pool',
] as const;

/**
 * What device memory is for:
 *
 * - `weights`: variables that are trained, and frozen ones; earlier values of them that something else still holds;
 * - `gradients`: everything that a backward pass allocates, gradients of activations too;
 * - `moments`: state of the optimizer;
 * - `staging`: buffers that the host can map, and uniforms;
 * - `activations`: also everything of no other known category;
 * - `pool`: freed by the program, kept for the next tensor of the same size.
 */
export type Category = (typeof CATEGORIES)[number];

/** Bytes by category. */
export type Breakdown = Readonly<Record<Category, number>>;

export const PLACES = [...CATEGORIES, 'free'] as const;
/** Where an event moves bytes from or to: a category, or `free`, which is not allocated. */
export type Place = (typeof PLACES)[number];

export const PHASES = ['forward', 'backward', 'update', 'sync', 'other'] as const;
/**
 * When in a step something happens:
 *
 * - `forward` and `backward`: the two passes;
 * - `update`: from the end of a backward pass until the event loop continues;
 * - `sync`: a sync of Lookahead;
 * - `other`: everything else, such as reading data, evaluating, and readbacks between syncs.
 */
export type Phase = (typeof PHASES)[number];

/** Sorts `variables` into weights and moments. */
export function variableSorter(
  variables: readonly tf.Variable[],
): (variable: tf.Variable) => 'weights' | 'moments' {
  const names = new Set(variables.map(({ name }) => name));
  // slowlane names the state of an optimizer after its weight, `dense/kernel/m`; tfjs's optimizers give
  // theirs no name, which makes it a number. Other variables that are not trained are frozen weights and
  // moving averages.
  return ({ name, trainable }) =>
    !trainable &&
    (/^\d+$/.test(name) || names.has(name.slice(0, Math.max(0, name.lastIndexOf('/')))))
      ? 'moments'
      : 'weights';
}
