// The state of a Lookahead as a list of named tensors and back: what `model.save` with the optimizer
// keeps. First the counters, then slow weights (and slots of theirs), then the inner optimizer's.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import { nonFiniteAt } from '../checks/finite-values.js';
import { copiesOf, type NamedTensor } from '../tfjs/named-tensor.js';
import type { SavedEntry } from '../optimizers/state/match-saved.js';
import { saveOthers, takeOthers } from '../optimizers/state/saved-state.js';
import { hostTensor } from '../tfjs/host-tensor.js';

/** Slow values in a file: of a weight (slot null), or of one of its slots in the inner optimizer. */
export interface SavedSlow extends SavedEntry {
  readonly slot: number | null;
  readonly values: Float32Array;
  /** Random rounding draws by it, so that a resumed run draws the bits of the one that was saved. */
  readonly serial: number;
  /** true: its values outgrew their format and are kept in float32. */
  readonly isKeptInF32: boolean;
}

/** The slow weights, and the weights without slow values that tfjs counts together with them. */
export interface SavedSlowWeights {
  readonly slow: readonly SavedSlow[];
  readonly others: readonly SavedEntry[];
}

export interface SavedLookahead extends SavedSlowWeights {
  readonly counters: readonly number[];
  /** Steps that the inner optimizer counts: it may have been used before, or reset. */
  readonly innerSteps: number;
  readonly inner: readonly NamedTensor[];
}

const COUNTERS = 'lookahead/counters';
/** Int32, one row for each slow tensor: serial, isKeptInF32. */
const ROUNDING = 'lookahead/rounding';
const INNER = 'inner/';
const VERSION = 2;
/** So that those of weights that come later fit into an int32. */
const LARGEST_SERIAL = 2 ** 30;

/** Tensors on the host only, and `inner` handed through: none has to be disposed. */
export function toTensors(saved: SavedLookahead): NamedTensor[] {
  const { counters, innerSteps, slow, others, inner } = saved;
  const numbers = Int32Array.of(VERSION, innerSteps, ...counters);
  const rounding = slow.flatMap(({ serial, isKeptInF32 }) => [serial, isKeptInF32 ? 1 : 0]);
  return [
    { name: COUNTERS, tensor: hostTensor(numbers, [numbers.length]) },
    { name: ROUNDING, tensor: hostTensor(Int32Array.from(rounding), [slow.length, 2]) },
    ...slow.map(({ name, slot, shape, values }) => ({
      name: `slow${slot ?? ''}/${name}`,
      tensor: hostTensor(values, shape),
    })),
    ...saveOthers(others),
    ...inner.map(({ name, tensor }) => ({ name: `${INNER}${name}`, tensor })),
  ];
}

/** Tensors that were taken over from a caller who may dispose the originals. */
export class TakenTensors {
  readonly #tensors: readonly NamedTensor[];

  constructor(tensors: readonly NamedTensor[]) {
    this.#tensors = copiesOf(tensors);
  }

  /** @throws SlowlaneError STATE_MISMATCH if this is not what `toTensors` gave. */
  async read(): Promise<SavedLookahead> {
    const [head, next, ...entries] = this.#tensors;
    const [version, innerSteps = -1, ...counters] = await numbersOf(head, COUNTERS);
    if (version !== VERSION) throw mismatch(`has version ${version}, this is version ${VERSION}`);
    const rounding = await numbersOf(next, ROUNDING);
    const own = entries.filter(({ name }) => !name.startsWith(INNER));
    const taken = await takeOthers(own);
    if (!taken) throw mismatch('has a damaged list of other weights');
    const slow: SavedSlow[] = [];
    for (const entry of taken.rest) slow.push(await slowOf(entry, rounding, slow.length));
    if (rounding.length !== 2 * slow.length) throw mismatch('has slow weights that are incomplete');
    checkSlow(slow, taken.others);
    const inner = entries
      .filter(({ name }) => name.startsWith(INNER))
      .map(({ name, tensor }) => ({ name: name.slice(INNER.length), tensor }));
    return { counters, innerSteps, slow, others: taken.others, inner };
  }

  dispose(): void {
    tf.dispose(this.#tensors.map(({ tensor }) => tensor));
  }
}

async function slowOf(
  { name, tensor }: NamedTensor,
  rounding: Int32Array,
  at: number,
): Promise<SavedSlow> {
  const found = /^slow(\d?)\/(.*)/s.exec(name);
  if (!found) throw mismatch(`has an entry of an unknown kind, '${name.slice(0, 80)}'`);
  const [, slot = '', weight = ''] = found;
  if (tensor.dtype !== 'float32') {
    throw mismatch(`has '${name.slice(0, 80)}' as ${tensor.dtype}, not float32`);
  }
  const [serial = -1, kept = -1] = rounding.subarray(2 * at, 2 * at + 2);
  if (serial < 0 || serial > LARGEST_SERIAL || (kept !== 0 && kept !== 1)) {
    throw mismatch(`has slow weights that are rounded by [${serial}, ${kept}]`);
  }
  return {
    name: weight,
    slot: slot === '' ? null : Number(slot),
    shape: tensor.shape,
    values: Float32Array.from(await tensor.data<'float32'>()),
    serial,
    isKeptInF32: kept === 1,
  };
}

/** Each weight once, each slot with its weight and in its shape; all values finite, because nothing mends slow ones. */
function checkSlow(slow: readonly SavedSlow[], others: readonly SavedEntry[]): void {
  const weights = new Map<string, SavedEntry>();
  const slots = new Set<string>();
  const serials = new Set<number>();
  const bad = slow.find(({ values }) => nonFiniteAt(values) >= 0);
  if (bad) {
    throw mismatch(`holds a NaN or an infinity in the slow values of '${bad.name.slice(0, 80)}'`);
  }
  for (const one of [...slow, ...others.map((other) => ({ ...other, slot: null, serial: -1 }))]) {
    const { name, slot, shape, serial } = one;
    const owner = weights.get(name);
    const key = `${slot ?? ''}/${name}`;
    const isFit =
      slot === null
        ? !owner && !serials.has(serial)
        : owner !== undefined && tf.util.arraysEqual([...owner.shape], [...shape]);
    if (!isFit || slots.has(key))
      throw mismatch(`has '${name.slice(0, 80)}' twice, or without its weight`);
    slots.add(key);
    if (slot !== null) continue;
    weights.set(name, one);
    if (serial >= 0) serials.add(serial);
  }
}

async function numbersOf(entry: NamedTensor | undefined, name: string): Promise<Int32Array> {
  if (entry?.name === name && entry.tensor.dtype === 'int32') return entry.tensor.data<'int32'>();
  throw mismatch(
    `must begin with '${COUNTERS}' and '${ROUNDING}', got '${(entry?.name ?? 'nothing').slice(0, 80)}'`,
  );
}

export function mismatch(what: string): SlowlaneError {
  return new SlowlaneError(
    'STATE_MISMATCH',
    `The saved state of the Lookahead ${what}. Was it saved by another optimizer, or by another version of slowlane?`,
  );
}
