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
 * - `gradients`: everything that a backward pass makes, gradients of activations too;
 * - `moments`: state of the optimizer;
 * - `staging`: buffers that the host can map, and uniforms;
 * - `activations`: also whatever nothing else is known about;
 * - `pool`: freed by the program, kept for the next tensor of the same size.
 */
export type Category = (typeof CATEGORIES)[number];

/** Bytes by category. */
export type Breakdown = Readonly<Record<Category, number>>;

/** A category, or `free`: not allocated. */
export const PLACES = [...CATEGORIES, 'free'] as const;
export type Place = (typeof PLACES)[number];

/**
 * - `update`: from the end of a backward pass to the end of the same turn of the event loop;
 * - `sync`: a sync of Lookahead;
 * - `other`: everything else: reading data, evaluating, bringing slow weights back between syncs.
 */
export const PHASES = ['forward', 'backward', 'update', 'sync', 'other'] as const;
export type Phase = (typeof PHASES)[number];

/** Says of each of `variables` what it is for. */
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
