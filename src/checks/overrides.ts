// `overrides` of an option: other values for some weights. The first entry that matches a weight counts.

import type * as tf from '@tensorflow/tfjs-core';
import { distance } from 'fastest-levenshtein';

import { checkKeys, shown } from './check.js';
import { SlowlaneError } from './errors.js';
import { checkMatcher, matches, type WeightMatcher } from './weight-matcher.js';

/** One entry: which weights it is for. The values it sets stand beside `weights`. */
export interface ForWeights {
  /** The weights it is for. */
  weights: WeightMatcher;
}

const NAMES_SHOWN = 3;

/** A check for each value that an entry may set: it throws a TypeError or RangeError that names `name`. */
export type OverrideChecks<T extends ForWeights> = {
  readonly [K in Exclude<keyof T, 'weights'>]-?: (name: string, value: unknown) => T[K];
};

/**
 * Checks an `overrides` option; error messages name it `name`.
 *
 * @throws TypeError or RangeError on a wrong value; TypeError for an entry that sets nothing.
 */
export function checkOverrides<T extends ForWeights>(
  name: string,
  value: unknown,
  checks: OverrideChecks<T>,
): readonly Readonly<T>[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    throw new TypeError(`${name} must be an array of { weights, … }, got ${shown(value)}.`);
  }
  const keys = Object.keys(checks) as (keyof typeof checks & string)[];
  return Array.from(value, (entry: unknown, i) => {
    const at = `${name}[${i}]`;
    const given = checkKeys(at, entry, ['weights', ...keys]);
    const weights = checkMatcher(`${at}.weights`, given['weights']);
    const set = keys.filter((key) => given[key] !== undefined);
    if (set.length === 0) {
      throw new TypeError(`${at} sets nothing: give at least one of ${keys.join(', ')}.`);
    }
    const checked = set.map((key) => [key, checks[key](`${at}.${key}`, given[key])]);
    return { weights, ...Object.fromEntries(checked) } as T;
  });
}

/** The entry that counts for `weight`: the first that matches. */
export function overrideOf<T extends ForWeights>(
  overrides: readonly T[],
  weight: tf.Variable,
): T | undefined {
  return overrides.find(({ weights }) => matches(weights, weight));
}

/**
 * Call it once all weights are known. An entry that an earlier one hides is not reported: it matches.
 *
 * @throws SlowlaneError UNMATCHED_OVERRIDE if an entry matches none of `weights`; it names the nearest weights.
 */
export function checkAllMatch(
  name: string,
  overrides: readonly ForWeights[],
  weights: readonly tf.Variable[],
): void {
  for (const [i, { weights: matcher }] of overrides.entries()) {
    if (weights.some((weight) => matches(matcher, weight))) continue;
    const nearest = nearestNames(
      matcher,
      weights.map((weight) => weight.name),
    );
    const pattern = typeof matcher === 'function' ? 'its function' : quoted(matcher);
    throw new SlowlaneError(
      'UNMATCHED_OVERRIDE',
      `${name}[${i}] matches no weight: ${pattern} fits none of ${weights.length} names.` +
        (nearest.length > 0 ? ` The nearest are ${nearest.map(quoted).join(', ')}.` : '') +
        ' Correct the pattern, or remove the entry.',
      { option: `${name}[${i}]`, nearest },
    );
  }
}

/** The names most like a pattern, most alike first; the first ones for a function, of which nothing is known. */
function nearestNames(matcher: WeightMatcher, names: readonly string[]): string[] {
  if (typeof matcher === 'function') return names.slice(0, NAMES_SHOWN);
  const text = typeof matcher === 'string' ? matcher : matcher.source.replace(/[^\w/]+/g, '');
  // A pattern may stand for a whole name, or for one part of it.
  const likeness = (name: string) =>
    Math.min(...[name, ...name.split('/')].map((part) => distance(text, part)));
  return names
    .map((name) => ({ name, far: likeness(name) }))
    .toSorted((a, b) => a.far - b.far)
    .slice(0, NAMES_SHOWN)
    .map(({ name }) => name);
}

function quoted(matcher: string | RegExp): string {
  return typeof matcher === 'string' ? `'${matcher}'` : String(matcher);
}
