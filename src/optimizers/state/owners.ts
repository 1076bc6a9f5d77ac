// Which variable each saved weight belongs to, where the optimizer meets the weights one after the other and never
// sees the whole model: in its first step, or in attach().
//
// A model made again in the same process has 'dense_Dense4' for 'dense_Dense1', and other layers may be frozen than
// at saving. So a state keeps the names of all weights that tfjs counts together with those that have state
// ("others"): frozen, excluded, never trained. They are compared with all variables that tfjs knows now. Either that
// shows which belong together, or it is an error.

import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';
import { allVariables } from '../../tfjs/variables.js';
import { assertShape, type SavedEntry, undecided } from './match-saved.js';
import { inGroups, type WeightName, weightName } from './weight-names.js';

/** Saved weight name → variable, of all weights of a model. */
export type OwnerMap = ReadonlyMap<string, tf.Variable>;

interface Group {
  /** With state. */
  readonly entries: readonly SavedEntry[];
  /** All, in the order of their numbers. */
  readonly saved: readonly SavedEntry[];
  /** To be matched, in the caller's order. */
  readonly given: readonly tf.Variable[];
  /** All that tfjs has now, in the order of their numbers. */
  readonly registered: readonly tf.Variable[];
}

export class Owners {
  readonly #entries: readonly SavedEntry[];
  readonly #all: readonly SavedEntry[];
  readonly #byName: Map<string, tf.Variable>;
  readonly #names = new Map<tf.Variable, string>();
  /** Nothing is left to find out. */
  readonly #isWhole: boolean;

  /** `known`: of all weights of the model, frozen ones too; else the owners are found when weights are seen. */
  constructor(
    entries: readonly SavedEntry[],
    { others = [], known }: { others?: readonly SavedEntry[]; known?: OwnerMap | undefined } = {},
  ) {
    this.#entries = entries;
    this.#all = [...entries, ...others];
    this.#isWhole = known !== undefined;
    this.#byName = new Map(known);
    for (const [name, variable] of this.#byName) this.#names.set(variable, name);
    for (const entry of entries) {
      const owner = this.#byName.get(entry.name);
      if (owner) assertShape(entry, owner);
      else if (this.#isWhole) throw undecided([entry], [...this.#byName.values()]);
    }
  }

  /** The saved weights without state whose variables are not known yet. */
  get others(): readonly SavedEntry[] {
    return this.#all.filter((one) => !this.#entries.includes(one) && !this.#byName.has(one.name));
  }

  /** The variable of a saved weight, if it is known by now. */
  of(name: string): tf.Variable | undefined {
    return this.#byName.get(name);
  }

  /** The name under which a weight was saved, if it was, and if it is known by now. */
  nameOf(weight: tf.Variable): string | undefined {
    return this.#names.get(weight);
  }

  /**
   * Finds the owners among `weights`, which are seen now. `beside`: seen with them, and not to be given state.
   * `isWhole`: these are all weights of a model, so that no other variable counts.
   *
   * @throws SlowlaneError STATE_MISMATCH if it is not certain which belong together. Then nothing has changed.
   */
  meet(
    weights: readonly tf.Variable[],
    beside: readonly tf.Variable[] = [],
    { isWhole = false }: { readonly isWhole?: boolean } = {},
  ): void {
    if (this.#isWhole || this.#entries.length === 0) return;
    const seen = [...weights, ...beside];
    const found = new Map<string, tf.Variable>();
    const saved = inGroups(this.#all);
    const registered = inGroups(new Set([...allVariables(), ...seen]));
    for (const [name, sorted] of inGroups(seen)) {
      const all = saved.get(name) ?? [];
      const entries = this.#entries.filter((entry) => all.includes(entry));
      if (entries.every((entry) => this.#byName.has(entry.name))) continue;
      const given = seen.filter((weight) => sorted.includes(weight));
      const group = { entries, saved: all, given, registered: registered.get(name) ?? [] };
      const pairs = isWhole ? pairOfModel(group, sorted) : pairsOf(group);
      if (pairs === null) throw undecided(all, given);
      for (const [entry, weight] of pairs) {
        const owner = this.#byName.get(entry.name) ?? weight;
        if (owner !== weight) throw undecided(all, given);
        assertShape(entry, weight);
        found.set(entry.name, weight);
      }
    }
    const isFirst = this.#names.size === 0 && seen.length > 0;
    // By their names all that have state are weights that are not here: of another model, or trained later.
    const owned = this.#entries.flatMap(({ name }) => found.get(name) ?? []);
    const isElsewhere = owned.every(
      (owner) => found.get(owner.name) === owner && !seen.includes(owner),
    );
    if (isFirst && isElsewhere) throw undecided(this.#entries, weights);
    for (const [name, weight] of found) {
      this.#byName.set(name, weight);
      this.#names.set(weight, name);
    }
  }
}

/** The weights that tfjs counts together with `weights`, without these. */
export function othersOf(weights: readonly tf.Variable[]): tf.Variable[] {
  const registered = inGroups(allVariables());
  const others = [...inGroups(weights)].flatMap(([name, group]) => {
    if (name === '') return [];
    const copies = new Set(group.map((weight) => weightName(weight.name).copy));
    // A copy alone is a model that was made again: the other copies are other models.
    return (registered.get(name) ?? []).filter(
      (one) => copies.size > 1 || copies.has(weightName(one.name).copy),
    );
  });
  return others.filter((one) => !weights.includes(one));
}

/** @throws SlowlaneError STATE_MISMATCH if one of `trained` (undefined: not known which) is not among `weights`. */
export function assertAmong(
  trained: readonly (tf.Variable | undefined)[],
  weights: readonly tf.Variable[],
): void {
  for (const weight of trained) {
    if (weights.some((one) => one === weight)) continue;
    const which = weight === undefined ? 'a weight that was restored' : `'${weight.name}'`;
    throw new SlowlaneError(
      'STATE_MISMATCH',
      `The optimizer has state of ${which}, which is not among the ${weights.length} weights given. Give all weights of the model, or drop that state: optimizer.forget([weight]).`,
    );
  }
}

type Pairs = readonly (readonly [SavedEntry, tf.Variable])[];

/** null: not certain. */
function pairsOf(group: Group): Pairs | null {
  const { by } = weightName(group.given[0]?.name ?? '');
  return by === 'none' ? pairNameless(group) : pairNamed(group, by);
}

/** tfjs's numbers hold in the process that saved them; in another one only their order does. */
function pairNameless({ saved, given, entries }: Group): Pairs | null {
  const byNumber = new Map(given.map((weight) => [weight.name, weight]));
  const hits = saved.filter(({ name }) => byNumber.has(name));
  if (entries.every(({ name }) => byNumber.has(name))) {
    return hits.map((entry) => [entry, byNumber.get(entry.name) as tf.Variable]);
  }
  if (hits.length > 0 || saved.length !== given.length) return null;
  const sorted = inGroups(given).get('') ?? [];
  const pairs = saved.map((entry, i) => [entry, sorted[i] as tf.Variable] as const);
  // The order in which they were made and the order in which they were trained have to agree.
  const trained = entries.map((entry) => pairs.find(([own]) => own === entry)?.[1]);
  const places = trained.map((weight) => given.indexOf(weight as tf.Variable));
  return places.some((place, i) => place < (places[i - 1] ?? -1)) ? null : pairs;
}

/** `given` are all of a model: state of other variables is not the optimizer's, whatever their names. */
function pairOfModel(group: Group, sorted: readonly tf.Variable[]): Pairs | null {
  const own = { ...group, registered: sorted };
  const isOfModel = (pairs: Pairs | null) =>
    pairs?.every(
      ([entry, weight]) => !group.entries.includes(entry) || group.given.includes(weight),
    );
  const ways = [
    () => pairsOf(group),
    () => pairWhole(own),
    // Another model of the same kind was there at saving, and it was this one.
    () => (isOthers(group) ? pairWhole({ ...own, saved: group.entries }) : null),
  ];
  for (const way of ways) {
    const pairs = way();
    if (pairs !== null && isOfModel(pairs)) return pairs;
  }
  return null;
}

/** True if the weights that were saved without state are those that are given now. */
function isOthers({ entries, saved, given }: Group): boolean {
  const others = saved.filter((one) => !entries.includes(one)).map(({ name }) => name);
  return isSame(new Set(others), new Set(given.map(({ name }) => name)));
}

/**
 * `given` are all of a model, so that other variables do not count, neither then nor now. `loadLayersModel` keeps the
 * names: those of all weights with state are there, and no name that was not.
 */
function pairWhole(group: Group): Pairs | null {
  const { by } = weightName(group.given[0]?.name ?? '');
  if (by === 'none') return null;
  const [own, seen, all] = [group.entries, group.given, group.saved].map(
    (list) => new Set(list.map(({ name }) => weightName(name).base)),
  ) as [Set<string>, Set<string>, Set<string>];
  const saved = group.saved.filter(({ name }) => seen.has(weightName(name).base));
  const isKept = isWithin(own, seen) && isWithin(seen, all);
  return pairNamed(isKept ? { ...group, saved } : group, by);
}

function pairNamed(
  { entries, saved, given, registered }: Group,
  by: WeightName['by'],
): Pairs | null {
  const before = new Set(saved.map(({ name }) => weightName(name).copy));
  const now = new Set(given.map(({ name }) => weightName(name).copy));
  const isOneCopy = before.size === 1 && now.size === 1;
  const key = (name: string) => (isOneCopy ? weightName(name).base : name);
  const keys = (all: readonly SavedEntry[]) => new Set(all.map(({ name }) => key(name)));
  const present = registered.filter(({ name }) => !isOneCopy || now.has(weightName(name).copy));
  const [all, own, seen, there] = [keys(saved), keys(entries), keys(given), keys(present)];
  const areNames =
    isSame(all, there) ||
    isSame(own, seen) ||
    (by === 'given' && (isWithin(seen, all) || isWithin(all, seen)));
  if (areNames) {
    // Outside of layers an ending may be the caller's: 'w_1' is no copy of 'w_2'.
    const isCopy = isOneCopy && !isSame(before, now);
    if (isCopy && !saved.every(({ name }) => name.includes('/') || name === key(name))) return null;
    const byKey = new Map(present.map((weight) => [key(weight.name), weight]));
    return saved.flatMap((entry) => {
      const weight = byKey.get(key(entry.name));
      return weight ? [[entry, weight] as const] : [];
    });
  }
  const fresh = present.filter(({ name }) => !all.has(key(name)));
  const isMadeAgain = fresh.length === saved.length && given.every((w) => fresh.includes(w));
  return isMadeAgain ? saved.map((entry, i) => [entry, fresh[i] as tf.Variable] as const) : null;
}

function isWithin<T>(part: ReadonlySet<T>, whole: ReadonlySet<T>): boolean {
  return [...part].every((one) => whole.has(one));
}

function isSame<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return a.size === b.size && isWithin(a, b);
}
