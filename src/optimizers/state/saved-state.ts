/**
 * The saved form of an optimizer's state: first the counters, `[iterations, n, steps of each of the n weights]`,
 * as one int32 tensor; then the state tensors in float32, weight by weight, `WEIGHT/SLOT`; then, if there are
 * any, the names and shapes of the weights without state that tfjs counts together with these. It is the same for all places and
 * precisions that state can be kept in.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../../checks/errors.js';
import { hostTensor } from '../../tfjs/host-tensor.js';
import { copiesOf, type NamedTensor } from '../../tfjs/named-tensor.js';
import type { SavedEntry } from './match-saved.js';
import type { PendingState, SavedWeights } from './optimizer-state.js';
import { splitName } from './state-names.js';
import { fromTfjs, isTfjsState, tfjsClassOf } from './tfjs-state.js';

export interface SavedState extends SavedWeights {
  readonly iterations: number;
}

const OTHERS = 'others';

/** The counters take no device memory. State tensors are passed on as they are. */
export function saveState(
  owner: string,
  iterations: number,
  state: {
    steps: readonly number[];
    tensors: readonly NamedTensor[];
    others: readonly SavedEntry[];
  },
): NamedTensor[] {
  const counters = Int32Array.of(iterations, state.steps.length, ...state.steps);
  const tensor = hostTensor(counters, [counters.length]);
  return [{ name: `${owner}/counters`, tensor }, ...state.tensors, ...saveOthers(state.others)];
}

/** As one tensor, of the UTF-16 units of a text in JSON; none if there are none. */
export function saveOthers(others: readonly SavedEntry[]): NamedTensor[] {
  if (others.length === 0) return [];
  const text = JSON.stringify(others.map(({ name, shape }) => [name, ...shape]));
  const units = Int32Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  return [{ name: OTHERS, tensor: hostTensor(units, [units.length]) }];
}

/** What `saveOthers` gave among `entries`, and the rest of them. null: damaged. */
export async function takeOthers(
  entries: readonly NamedTensor[],
): Promise<{ others: SavedEntry[]; rest: NamedTensor[] } | null> {
  const isOthers = ({ name, tensor }: NamedTensor) => name === OTHERS && tensor.dtype === 'int32';
  const rest = entries.filter((entry) => !isOthers(entry));
  const [found, ...more] = entries.filter(isOthers);
  if (!found) return { others: [], rest };
  const list = parsed(await found.tensor.data<'int32'>());
  if (more.length > 0 || !Array.isArray(list)) return null;
  const others: SavedEntry[] = [];
  for (const one of list as unknown[]) {
    if (!Array.isArray(one)) return null;
    const [name, ...shape] = one as unknown[];
    if (typeof name !== 'string' || !shape.every((length) => isLength(length))) return null;
    others.push({ name, shape });
  }
  return { others, rest };
}

function parsed(units: Int32Array): unknown {
  const text = new Uint16Array(units);
  let json = '';
  for (let i = 0; i < text.length; i += 4096) {
    json += String.fromCharCode(...text.subarray(i, i + 4096));
  }
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function isLength(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

/**
 * Takes also what the same optimizer of TensorFlow.js gave. Copies `saved` before the first await, because the caller
 * may dispose the tensors then.
 *
 * @param slots The names of a weight's state tensors.
 * @param onHost Read the values to the host, so that the tensors take no device memory.
 * @returns tensors that the caller owns.
 * @throws SlowlaneError STATE_MISMATCH if `saved` has another form. Then nothing is left behind.
 */
export async function loadState(
  owner: string,
  slots: readonly string[],
  saved: readonly NamedTensor[],
  { onHost }: { readonly onHost: boolean },
): Promise<SavedState> {
  const copies = copiesOf(saved);
  const used = new Set<tf.Tensor>();
  try {
    const read = await (isTfjsState(copies) ? readTfjs : readOwn)(owner, slots, copies);
    for (const entry of read.weights.flatMap(({ tensors }) => tensors)) {
      if (entry.tensor.dtype !== 'float32') {
        throw mismatch(owner, `got ${describe(entry)}, not float32`);
      }
      if (onHost) await bringToHost(entry);
      used.add(entry.tensor);
    }
    for (const { name, tensors } of read.weights) checkWeight(owner, name, slots, tensors);
    const names = [...read.weights, ...read.others].map(({ name }) => name);
    if (slots.length > 0 && new Set(names).size < names.length) {
      throw mismatch(owner, 'has a weight twice');
    }
    tf.dispose(copies.filter(({ tensor }) => !used.has(tensor)).map(({ tensor }) => tensor));
    return read;
  } catch (error) {
    tf.dispose([...copies.map(({ tensor }) => tensor), ...used]);
    throw error;
  }
}

async function readOwn(
  owner: string,
  slots: readonly string[],
  copies: readonly NamedTensor[],
): Promise<SavedState> {
  const head = copies[0];
  if (head === undefined || head.tensor.dtype !== 'int32' || head.tensor.rank !== 1) {
    throw mismatch(owner, `must begin with its counters, got ${describe(head)}`);
  }
  const [iterations = -1, count = 0, ...steps] = await head.tensor.data<'int32'>();
  if (steps.length !== count) {
    throw mismatch(owner, `counts ${count} weights but has step counts of ${steps.length}`);
  }
  if (iterations < 0 || steps.some((n) => n < 0)) throw mismatch(owner, 'has a count below 0');
  const taken = await takeOthers(copies.slice(1));
  if (!taken) throw mismatch(owner, 'has a damaged list of other weights');
  const given = taken.rest.length;
  if (given !== count * slots.length) {
    throw mismatch(
      owner,
      `must have ${slots.length} state tensors for each of its ${count} weights, got ${given}`,
    );
  }
  if (head.name !== `${owner}/counters`) throw mismatch(owner, `begins with ${describe(head)}`);
  const weights = steps.map((n, i) => {
    const own = taken.rest.slice(i * slots.length, (i + 1) * slots.length);
    return pending(own, n);
  });
  return { iterations, weights, others: taken.others };
}

async function readTfjs(
  owner: string,
  slots: readonly string[],
  [head, ...entries]: readonly NamedTensor[],
): Promise<SavedState> {
  const [iterations = -1] = (await head?.tensor.data<'int32'>()) ?? [];
  const weights = fromTfjs(owner, slots, entries);
  const isEmpty = iterations > 0 && entries.length === 0 && slots.length > 0;
  if (!weights || isEmpty || iterations < 0) {
    const theirs = tfjsClassOf(owner);
    const takes = theirs
      ? `takes only what tfjs's ${theirs} saved with the same options`
      : 'has no counterpart in tfjs';
    throw mismatch(owner, `is of an optimizer of TensorFlow.js; ${owner} ${takes}`);
  }
  return { iterations, weights: weights.map((own) => pending(own, iterations)), others: [] };
}

function pending(tensors: readonly NamedTensor[], steps: number): PendingState {
  const [first] = tensors;
  const { weight } = splitName(first?.name ?? '');
  return { name: weight, shape: first?.tensor.shape ?? [], steps, tensors };
}

async function bringToHost(entry: { tensor: tf.Tensor }): Promise<void> {
  const { tensor } = entry;
  const values = await tensor.data<'float32'>();
  entry.tensor = tf.keep(tf.tensor(values.slice(), tensor.shape));
  tensor.dispose();
}

function checkWeight(
  owner: string,
  weight: string,
  slots: readonly string[],
  tensors: readonly NamedTensor[],
): void {
  const [first] = tensors;
  for (const [i, other] of tensors.entries()) {
    if (other.name !== `${weight}/${slots[i] ?? ''}`) {
      throw mismatch(owner, `has ${describe(other)} in place of '${weight}/${slots[i] ?? ''}'`);
    }
    if (!first || tf.util.arraysEqual(other.tensor.shape, first.tensor.shape)) continue;
    throw mismatch(
      owner,
      `has state of one weight in two shapes: ${describe(first)}, ${describe(other)}`,
    );
  }
}

function mismatch(owner: string, what: string): SlowlaneError {
  return new SlowlaneError(
    'STATE_MISMATCH',
    `The saved state of ${owner} ${what}. Was it saved by another optimizer, or with other options?`,
    { optimizer: owner },
  );
}

function describe(entry: NamedTensor | undefined): string {
  if (entry === undefined) return 'nothing';
  const { dtype, shape } = entry.tensor;
  return `'${entry.name.slice(0, 80)}' (${dtype}, shape [${shape.join(', ')}])`;
}
