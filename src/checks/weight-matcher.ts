// Says which weights an option is for.

import type * as tf from '@tensorflow/tfjs-core';

import { shown } from './check.js';
import { SlowlaneError } from './errors.js';

/**
 * Picks weights: by name (`'dense_1/kernel'`, or `'dense_1'` for all weights of that layer), by a
 * regular expression on the name, or by a function. tfjs makes names unique: the second model of a process
 * has `'dense/kernel_1'` where the first has `'dense/kernel'`. Names and expressions find it without that ending, too.
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
  return [weight.name, weight.name.replace(UNIQUE_ENDING, '')].some((name) => {
    // `search` ignores lastIndex, so a /g expression gives the same answer every time.
    if (matcher instanceof RegExp) return name.search(matcher) !== -1;
    return name === matcher || name.startsWith(`${matcher}/`);
  });
}

/** What tfjs-layers appends to the name of a layer's weight that is taken. */
const UNIQUE_ENDING = /(?<=\/.*)_\d+$/;

/** A matcher as JSON. */
export type MatcherConfig = { named: string } | { pattern: string; flags: string };

/**
 * The saved form of `matcher`. tfjs turns snake_case strings of a saved config into camelCase when it loads one,
 * so that names and expressions are kept free of underscores.
 *
 * @param option The option, as error messages name it.
 * @throws SlowlaneError NOT_SERIALIZABLE for a function.
 */
export function matcherConfig(option: string, matcher: WeightMatcher): MatcherConfig {
  if (typeof matcher === 'string') return { named: escaped(matcher) };
  if (matcher instanceof RegExp) return { pattern: escaped(matcher.source), flags: matcher.flags };
  throw new SlowlaneError(
    'NOT_SERIALIZABLE',
    `${option} picks weights by a function, which cannot be saved with the model. Use a name or a RegExp, or ` +
      `save the model without its optimizer.`,
  );
}

export function matcherFrom(saved: MatcherConfig): WeightMatcher {
  if ('named' in saved) return decodeURIComponent(saved.named);
  return new RegExp(decodeURIComponent(saved.pattern), saved.flags);
}

function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll('_', '%5F');
}
