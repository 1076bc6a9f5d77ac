// Finds the saved entry of each weight.
//
// Weights that the caller named are matched by name. tfjs makes names unique by appending `_1`, `_2` …, so a model
// that is loaded twice in one process has other names than the one that was saved. Names that differ only in that
// ending have one *stem*; within a stem equal names match, else the order of the endings decides. Weights without
// given names (numbers, or layers that tfjs named) are matched by their order.

import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';

/** The name and the shape of the weight that was saved. */
export interface SavedEntry {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * For each of `weights` its entry in `saved`, or undefined if it has none. Other entries may belong to weights
 * that are seen later.
 *
 * @throws SlowlaneError STATE_MISMATCH if an entry has another shape than its weight, or if neither names nor
 *   order decide which belong together.
 */
export function matchSaved<E extends SavedEntry>(
  saved: readonly E[],
  weights: readonly tf.Variable[],
): (E | undefined)[] {
  if (saved.length === 0 || weights.length === 0) return weights.map(() => undefined);
  const matched = byStem(saved, weights) ?? byNumber(saved, weights) ?? byOrder(saved, weights);
  weights.forEach((weight, i) => {
    const entry = matched[i];
    if (entry && !sameShape(entry.shape, weight.shape)) throw misfit(weight, entry);
  });
  return matched;
}

/** null if no stem is on both sides. */
function byStem<E extends SavedEntry>(
  saved: readonly E[],
  weights: readonly tf.Variable[],
): (E | undefined)[] | null {
  const entries = grouped(saved.filter(({ name }) => !isNumber(name)));
  const found = new Map<tf.Variable, E>();
  for (const [stem, group] of grouped(weights.filter(({ name }) => !isNumber(name)))) {
    const candidates = entries.get(stem);
    if (!candidates) continue;
    const exact = new Map(candidates.map((entry) => [entry.name, entry]));
    const hits = group.filter(({ name }) => exact.has(name));
    if (hits.length === group.length || hits.length === candidates.length) {
      for (const weight of hits) found.set(weight, exact.get(weight.name) as E);
    } else if (group.length === candidates.length) {
      group.forEach((weight, i) => found.set(weight, candidates[i] as E));
    } else throw undecided(candidates, group);
  }
  return found.size > 0 ? weights.map((weight) => found.get(weight)) : null;
}

/** For the same variables in the process that saved them. null unless each entry is found. */
function byNumber<E extends SavedEntry>(
  saved: readonly E[],
  weights: readonly tf.Variable[],
): (E | undefined)[] | null {
  const entries = new Map(saved.map((entry) => [entry.name, entry]));
  const found = weights.map(({ name }) => entries.get(name));
  return saved.every((entry) => found.includes(entry)) ? found : null;
}

function byOrder<E extends SavedEntry>(saved: readonly E[], weights: readonly tf.Variable[]): E[] {
  const areNameless = [...saved, ...weights].every(({ name }) => isNumber(name) || isOfLayer(name));
  if (areNameless && saved.length === weights.length) return [...saved];
  throw undecided(saved, weights);
}

/** By stem, each group in the order of the endings. */
function grouped<N extends { readonly name: string }>(all: readonly N[]): Map<string, N[]> {
  const groups = new Map<string, N[]>();
  for (const one of all) {
    const stem = one.name.replace(ENDING, '');
    groups.set(stem, [...(groups.get(stem) ?? []), one]);
  }
  const ending = ({ name }: N) => Number(ENDING.exec(name)?.[1] ?? 0);
  for (const group of groups.values()) group.sort((a, b) => ending(a) - ending(b));
  return groups;
}

const ENDING = /_(\d+)$/;

/** tf.variable without a name takes a number for one. */
function isNumber(name: string): boolean {
  return /^\d+$/.test(name);
}

/** A layer that was not named: `dense_Dense3/kernel`. */
function isOfLayer(name: string): boolean {
  return /^[a-z\d_]+_[A-Z][A-Za-z\d]*\//.test(name);
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

function undecided(saved: readonly SavedEntry[], weights: readonly SavedEntry[]): SlowlaneError {
  const listed = (all: readonly SavedEntry[]) =>
    all
      .slice(0, 4)
      .map(({ name, shape }) => `'${name}' [${shape.join(', ')}]`)
      .join(', ') + (all.length > 4 ? ', …' : '');
  return new SlowlaneError(
    'STATE_MISMATCH',
    `The restored state has ${saved.length} weights (${listed(saved)}), ${weights.length} are to be trained (${listed(weights)}), and neither names nor order decide which belong together. Restore it into the model that it was saved with, with the same layers trainable, or give weights names.`,
    { saved: saved.map(({ name }) => name), weights: weights.map(({ name }) => name) },
  );
}
