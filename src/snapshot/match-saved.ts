// Which saved entry belongs to which weight.
//
// By name, where weights have names. tfjs makes names unique by appending `_1`, `_2` …, so a model that
// is loaded twice in one process has other names than the one that was saved: names are compared
// without that ending too. A weight made without a name has a number for one, which says little: for
// models of such weights alone the order decides, unless every number is found again.

import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../errors.js';

/** What is known of a saved entry: the name its weight had, and its shape. */
export interface SavedEntry {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * For each of `weights` its entry in `saved`, or undefined if it is a new one. Entries that are not
 * claimed may wait for weights that are seen later.
 *
 * @throws SlowlaneError STATE_MISMATCH if an entry has another shape than its weight, or if neither
 * names nor order tell which is whose.
 */
export function matchSaved<E extends SavedEntry>(
  saved: readonly E[],
  weights: readonly tf.Variable[],
): (E | undefined)[] {
  if (saved.length === 0 || weights.length === 0) return weights.map(() => undefined);
  const matched = byName(saved, weights) ?? byNumber(saved, weights) ?? byOrder(saved, weights);
  weights.forEach((weight, i) => {
    const entry = matched[i];
    if (entry && !sameShape(entry.shape, weight.shape)) throw misfit(weight, entry);
  });
  return matched;
}

/** Null if no name hits. */
function byName<E extends SavedEntry>(
  saved: readonly E[],
  weights: readonly tf.Variable[],
): (E | undefined)[] | null {
  const exact = unique(saved, ({ name }) => name);
  const exactHits = weights.map(({ name }) => (isNumber(name) ? undefined : exact.get(name)));
  const left = saved.filter((entry) => !exactHits.includes(entry) && !isNumber(entry.name));
  const stem = unique(left, ({ name }) => stemOf(name));
  const unmatched = weights.filter((_, i) => exactHits[i] === undefined);
  const asked = unique(unmatched, ({ name }) => stemOf(name));
  const hits = weights.map((weight, i) => {
    if (exactHits[i] || isNumber(weight.name)) return exactHits[i];
    return asked.get(stemOf(weight.name)) === weight ? stem.get(stemOf(weight.name)) : undefined;
  });
  return hits.some((hit) => hit !== undefined) ? hits : null;
}

/** The same variables again, in the process that saved them. Null unless every entry is found. */
function byNumber<E extends SavedEntry>(
  saved: readonly E[],
  weights: readonly tf.Variable[],
): (E | undefined)[] | null {
  const entries = unique(saved, ({ name }) => name);
  const found = weights.map(({ name }) => entries.get(name));
  return saved.every((entry) => found.includes(entry)) ? found : null;
}

function byOrder<E extends SavedEntry>(saved: readonly E[], weights: readonly tf.Variable[]): E[] {
  if (saved.length === weights.length) return [...saved];
  const names = weights.slice(0, 4).map(({ name }) => `'${name}'`);
  throw new SlowlaneError(
    'STATE_MISMATCH',
    `The restored state is of ${saved.length} weights, whose names are not those of the ${weights.length} weights to train (${names.join(', ')}${weights.length > 4 ? ', …' : ''}). Restore it into the model that it was saved with, with the same layers trainable, or give weights names.`,
    { saved: saved.map(({ name }) => name), weights: weights.map(({ name }) => name) },
  );
}

/** Entries by key, without those that share one. */
function unique<V>(values: readonly V[], key: (value: V) => string): Map<string, V> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(key(value), (counts.get(key(value)) ?? 0) + 1);
  return new Map(
    values.filter((value) => counts.get(key(value)) === 1).map((value) => [key(value), value]),
  );
}

/** tf.variable without a name takes a number for one. */
function isNumber(name: string): boolean {
  return /^\d+$/.test(name);
}

function stemOf(name: string): string {
  return name.replace(/_\d+$/, '');
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

function misfit(weight: tf.Variable, entry: SavedEntry): SlowlaneError {
  return new SlowlaneError(
    'STATE_MISMATCH',
    `The restored state has '${entry.name}' of shape [${entry.shape.join(', ')}] for the weight '${weight.name}' of shape [${weight.shape.join(', ')}]. Restore it into the model that it was saved with, with the same layers trainable.`,
    {
      weight: weight.name,
      weightShape: weight.shape,
      saved: entry.name,
      savedShape: entry.shape,
    },
  );
}
