// Says which weights an option is for.

import type * as tf from '@tensorflow/tfjs-core';

import { shown } from './check.js';

/**
 * Picks weights: by name (`'dense_1/kernel'`, or `'dense_1'` for all weights of that layer), by a
 * regular expression on the name, or by a function.
 */
export type WeightMatcher = string | RegExp | ((weight: tf.Variable) => boolean);

export function checkMatcher(name: string, value: unknown): WeightMatcher {
  if (typeof value === 'string' && value !== '') return value;
  if (value instanceof RegExp) return value;
  if (typeof value === 'function') return value as (weight: tf.Variable) => boolean;
  throw new TypeError(
    `${name} must be a weight's name, a RegExp or a function of the weight, got ${shown(value)}.`,
  );
}

export function matches(matcher: WeightMatcher, weight: tf.Variable): boolean {
  if (typeof matcher === 'function') {
    const answer: unknown = matcher(weight);
    if (typeof answer === 'boolean') return answer;
    throw new TypeError(
      `A function that picks weights must answer true or false, it gave ${shown(answer)} for '${weight.name}'.`,
    );
  }
  // `search` ignores lastIndex, so a /g expression gives the same answer every time.
  if (matcher instanceof RegExp) return weight.name.search(matcher) !== -1;
  return weight.name === matcher || weight.name.startsWith(`${matcher}/`);
}
