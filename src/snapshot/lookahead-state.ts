// The state of a Lookahead as a list of named tensors and back: what `model.save` with the optimizer
// keeps. First the counters, then slow weights (and slots of theirs), then the inner optimizer's.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import type { NamedTensor } from '../tfjs/named-tensor.js';
import type { SavedEntry } from '../optimizers/state/match-saved.js';
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

export interface SavedLookahead {
  readonly counters: readonly number[];
  readonly slow: readonly SavedSlow[];
  readonly inner: readonly NamedTensor[];
}

const COUNTERS = 'lookahead/counters';
/** Int32, one row for each slow tensor: serial, isKeptInF32. */
const ROUNDING = 'lookahead/rounding';
const INNER = 'inner/';
const VERSION = 1;

/** Tensors on the host only, and `inner` handed through: none has to be disposed. */
export function toTensors({ counters, slow, inner }: SavedLookahead): NamedTensor[] {
  const numbers = Int32Array.of(VERSION, ...counters);
  const rounding = slow.flatMap(({ serial, isKeptInF32 }) => [serial, isKeptInF32 ? 1 : 0]);
  return [
    { name: COUNTERS, tensor: hostTensor(numbers, [numbers.length]) },
    { name: ROUNDING, tensor: hostTensor(Int32Array.from(rounding), [slow.length, 2]) },
    ...slow.map(({ name, slot, shape, values }) => ({
      name: `slow${slot ?? ''}/${name}`,
      tensor: hostTensor(values, shape),
    })),
    ...inner.map(({ name, tensor }) => ({ name: `${INNER}${name}`, tensor })),
  ];
}

/** Tensors that were taken over from a caller who may dispose the originals. */
export class TakenTensors {
  readonly #tensors: readonly NamedTensor[];

  /** Copies nothing: tensors never change, so a second handle is as good. */
  constructor(tensors: readonly NamedTensor[]) {
    if (!Array.isArray(tensors)) throw mismatch('must be the array that getWeights() gave');
    this.#tensors = tensors.map(({ name, tensor }) => ({ name, tensor: tf.keep(tensor.clone()) }));
  }

  /** @throws SlowlaneError STATE_MISMATCH if this is not what `toTensors` gave. */
  async read(): Promise<SavedLookahead> {
    const [head, next, ...rest] = this.#tensors;
    const [version, ...counters] = await numbersOf(head, COUNTERS);
    if (version !== VERSION) throw mismatch(`has version ${version}, this is version ${VERSION}`);
    const rounding = await numbersOf(next, ROUNDING);
    const slow: SavedSlow[] = [];
    for (const { name, tensor } of rest) {
      const found = /^slow(\d*)\/(.*)$/s.exec(name);
      if (!found) continue;
      const [, slot = '', weight = ''] = found;
      if (tensor.dtype !== 'float32')
        throw mismatch(`has '${name}' as ${tensor.dtype}, not float32`);
      slow.push({
        name: weight,
        slot: slot === '' ? null : Number(slot),
        shape: tensor.shape,
        values: Float32Array.from(await tensor.data<'float32'>()),
        serial: rounding[2 * slow.length] ?? 0,
        isKeptInF32: rounding[2 * slow.length + 1] === 1,
      });
    }
    if (rounding.length !== 2 * slow.length) throw mismatch('has slow weights that are incomplete');
    const inner = rest
      .filter(({ name }) => name.startsWith(INNER))
      .map(({ name, tensor }) => ({ name: name.slice(INNER.length), tensor }));
    if (slow.length + inner.length < rest.length) throw mismatch('has entries of an unknown kind');
    return { counters, slow, inner };
  }

  dispose(): void {
    tf.dispose(this.#tensors.map(({ tensor }) => tensor));
  }
}

async function numbersOf(entry: NamedTensor | undefined, name: string): Promise<Int32Array> {
  if (entry?.name === name && entry.tensor.dtype === 'int32') return entry.tensor.data<'int32'>();
  throw mismatch(
    `must begin with '${COUNTERS}' and '${ROUNDING}', got '${entry?.name ?? 'nothing'}'`,
  );
}

function mismatch(what: string): SlowlaneError {
  return new SlowlaneError(
    'STATE_MISMATCH',
    `The saved state of the Lookahead ${what}. Was it saved by another optimizer, or by another version of slowlane?`,
  );
}
