// Finds the saved entry of each weight of a whole model: all that were saved, and all that there are.
//
// A name that the caller gave decides. Names that tfjs numbered (weight-names.ts) change when a model is made again:
// then the order of the numbers decides, and the order in which the weights are listed has to say the same.

import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';
import { inGroups, weightName } from './weight-names.js';

/** The name and the shape of the weight that was saved. */
export interface SavedEntry {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * For each of `weights` its entry in `saved`.
 *
 * @param areInOrder Both lists are in the order of the model's layers: where tfjs named a layer, its place has to
 *   agree even if the names are equal, because it may count other layers today.
 * @throws SlowlaneError STATE_MISMATCH if it is not certain which belong together.
 */
export function matchAll<E extends SavedEntry>(
  saved: readonly E[],
  weights: readonly tf.Variable[],
  { areInOrder }: { readonly areInOrder: boolean },
): E[] {
  const undecidedHere = () => otherModel(saved, weights);
  const entries = inGroups(saved);
  const groups = inGroups(weights);
  const isUnique = new Set(saved.map(({ name }) => name)).size === saved.length;
  if (!isUnique || saved.length !== weights.length) throw undecidedHere();
  const found = new Map<tf.Variable, E>();
  for (const [group, own] of groups) {
    const candidates = entries.get(group);
    if (candidates?.length !== own.length) throw undecidedHere();
    own.forEach((weight, i) => found.set(weight, candidates[i] as E));
    const { by } = weightName(own[0]?.name ?? '');
    // Both are sorted: equal names are at equal places.
    const areEqual = by !== 'none' && own.every(({ name }, i) => name === candidates[i]?.name);
    if (areEqual && (by === 'given' || !areInOrder)) continue;
    const listed = weights.filter((weight) => own.includes(weight)).map((w) => found.get(w));
    const places = listed.map((entry) => saved.indexOf(entry as E));
    if (places.some((place, i) => place < (places[i - 1] ?? -1))) throw undecidedHere();
  }
  return weights.map((weight) => {
    const entry = found.get(weight) as E;
    assertShape(entry, weight);
    return entry;
  });
}

/** @throws SlowlaneError STATE_MISMATCH if `entry`, which belongs to `weight`, has another shape. */
export function assertShape(entry: SavedEntry, weight: tf.Variable): void {
  const { shape } = weight;
  if (shape.length === entry.shape.length && shape.every((size, i) => size === entry.shape[i])) {
    return;
  }
  throw new SlowlaneError(
    'STATE_MISMATCH',
    `The restored state has '${entry.name}' of shape [${entry.shape.join(', ')}] for the weight '${weight.name}' of shape [${shape.join(', ')}]. Restore it into the model that it was saved with.`,
    { weight: weight.name, weightShape: shape, saved: entry.name, savedShape: entry.shape },
  );
}

/** They are all of two models. */
function otherModel(saved: readonly SavedEntry[], weights: readonly SavedEntry[]): SlowlaneError {
  const counts = `The saved model has ${saved.length} weights (${listed(saved)}), this one has ${weights.length} (${listed(weights)})`;
  const advice =
    saved.length === weights.length
      ? 'Load it into the model that it was saved with. If it is that model, give its layers and weights names and save it again.'
      : 'Load it into a model with the same weights.';
  return new SlowlaneError(
    'STATE_MISMATCH',
    `${counts}, and neither names nor order decide which belong together. ${advice}`,
    namesOf(saved, weights),
  );
}

export function undecided(
  saved: readonly SavedEntry[],
  weights: readonly SavedEntry[],
): SlowlaneError {
  return new SlowlaneError(
    'STATE_MISMATCH',
    `The restored state has ${saved.length} weights (${listed(saved)}), ${weights.length} are to be trained (${listed(weights)}), and neither names nor order decide which belong together. Restore it into the model that it was saved with, save and load with saveTraining() and loadTraining(), which know all weights of a model, or give layers and weights names.`,
    namesOf(saved, weights),
  );
}

function namesOf(saved: readonly SavedEntry[], weights: readonly SavedEntry[]) {
  return { saved: saved.map(({ name }) => name), weights: weights.map(({ name }) => name) };
}

function listed(all: readonly SavedEntry[]): string {
  const first = all
    .slice(0, 4)
    .map(({ name, shape }) => `'${name.slice(0, 80)}' [${shape.join(', ')}]`);
  return first.join(', ') + (all.length > 4 ? ', …' : '');
}
