// A training as bytes: the weights and the optimizer's state, to go on with another day. For models that
// are not LayersModels, and for all who do not want the three files of `model.save`.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import { shown } from '../checks/check.js';
import { hostTensor } from '../tfjs/host-tensor.js';
import { readForeign } from '../optimizers/state/foreign-state.js';
import { matchAll } from '../optimizers/state/match-saved.js';
import { type OwnerMap, Owners } from '../optimizers/state/owners.js';
import { takesOver } from '../optimizers/state/tfjs-state.js';
import type { NamedTensor } from '../tfjs/named-tensor.js';
import { isGone } from '../tfjs/variables.js';
import { type HostValues, packFile, unpackFile } from './packed-tensors.js';
import { type SavableModel, wholeModel, type WholeModel } from './whole-model.js';

export type { SavableModel } from './whole-model.js';

/** For each weight of a model: its values, its slow values, and three state tensors with slow values at most. */
const MOST_TENSORS = 8;

/** An optimizer that can save and restore its state: a Lookahead, slowlane's own, most of tfjs's. */
export interface SavableOptimizer {
  /** Steps taken. */
  readonly iterations: number;
  /** The name of the class: a state is loaded only into an optimizer of the same class. */
  getClassName(): string;
  /** The state as named tensors. */
  getWeights(): Promise<NamedTensor[]>;
  /** Takes what `getWeights` gave, and copies it. */
  setWeights(weights: NamedTensor[]): Promise<void>;
  /** Of slowlane: runs `save` with the state, and sees to it that no step comes between; `weights` are all that there are. */
  saving?<T>(
    save: (state: NamedTensor[]) => Promise<T>,
    weights?: readonly tf.Variable[],
  ): Promise<T>;
  /**
   * Of slowlane: replaces the state and runs `assign` in one turn, or throws before anything changes. `trained`: what the model
   * trains, if it says so.
   */
  loading?(
    state: NamedTensor[],
    known: ReadonlyMap<string, tf.Variable>,
    assign: () => void,
    trained?: readonly tf.Variable[],
  ): Promise<void>;
}

/**
 * Packs the values of all weights of `model` (those that are not trained too) and the state of `optimizer`, also in the
 * middle of a cycle. The bytes are the caller's.
 *
 * @throws TypeError for a wrong argument, or a weight that is neither float32 nor int32.
 * @throws SlowlaneError SYNC_DUE if a Lookahead has to sync first; STEP_OPEN between micro-batches; SYNC_RUNNING if a step or
 * a micro-batch was taken, or a weight changed, meanwhile; STATE_MISMATCH if there is state of a weight that is not in `model`.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { adam, loadTraining, saveTraining } from 'slowlane';
 *
 * const weights = [tf.tidy(() => tf.variable(tf.zeros([3]), true, 'kernel'))];
 * const bytes = await saveTraining(adam(), weights);
 * await loadTraining(bytes, adam(), weights); // into a new optimizer with the same options
 * ```
 */
export async function saveTraining(
  optimizer: SavableOptimizer,
  model: SavableModel,
): Promise<Uint8Array> {
  checkOptimizer('saveTraining', optimizer);
  const { variables, areInOrder } = wholeModel(model, 'saveTraining');
  for (const { name, dtype } of variables) {
    if (dtype === 'float32' || dtype === 'int32') continue;
    throw new TypeError(
      `saveTraining() keeps float32 and int32; the weight '${name}' is ${dtype}.`,
    );
  }
  const pack = async (state: NamedTensor[]): Promise<Uint8Array> => {
    if (state.some(({ tensor }) => isGone(tensor))) throw changed();
    const weights = variables.map((tensor) => ({ name: tensor.name, tensor }));
    const read = await readUnchanged([...weights, ...state]);
    return packFile({
      optimizer: optimizer.getClassName(),
      areInOrder,
      weights: read.slice(0, weights.length),
      state: read.slice(weights.length),
    });
  };
  if (optimizer.saving) return optimizer.saving(pack, variables);
  const { iterations } = optimizer;
  const bytes = await pack(await optimizer.getWeights());
  if (optimizer.iterations === iterations) return bytes;
  throw changed();
}

/** Reads everything, unless something changes meanwhile. */
async function readUnchanged(tensors: readonly NamedTensor[]): Promise<HostValues[]> {
  // A second handle: an optimizer that updates in place makes new data then, which shows.
  // Others are host tensors, which never change.
  const dataOf = (tensor: tf.Tensor) => (tensor instanceof tf.Variable ? tensor.dataId : null);
  const held = tensors.map(({ name, tensor }) => ({
    name,
    tensor,
    before: dataOf(tensor),
    second: tf.keep(tensor instanceof tf.Variable ? tensor.clone() : tensor),
  }));
  try {
    const read = held.map(async ({ name, tensor: { shape }, second }): Promise<HostValues> => {
      const values = await second.data();
      return { name, shape, values: values as Float32Array | Int32Array };
    });
    const values = await Promise.all(read);
    if (held.every(({ tensor, before }) => !isGone(tensor) && dataOf(tensor) === before)) {
      return values;
    }
    throw changed();
  } finally {
    for (const { tensor, second } of held) if (second !== tensor) second.dispose();
  }
}

function changed(): SlowlaneError {
  return new SlowlaneError(
    'SYNC_RUNNING',
    'A step was taken, or a weight changed, while saveTraining() was reading. Await it before the next step.',
  );
}

/**
 * Puts back what `saveTraining` gave, into a model with the same weights and an optimizer made with the same options.
 * Training then continues to the bit. Everything is checked before anything
 * changes, and no other call sees half of it.
 *
 * @throws TypeError for a wrong argument.
 * @throws RangeError if a saved number is not one that the optimizer can have.
 * @throws SlowlaneError STATE_MISMATCH if the bytes are damaged, or belong to another optimizer or model.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { adam, loadTraining, saveTraining } from 'slowlane';
 *
 * const weights = [tf.tidy(() => tf.variable(tf.zeros([3]), true, 'bias'))];
 * const bytes = await saveTraining(adam(), weights);
 * await loadTraining(bytes, adam(), weights); // into a new optimizer with the same options
 * ```
 */
export async function loadTraining(
  bytes: Uint8Array,
  optimizer: SavableOptimizer,
  model: SavableModel,
): Promise<void> {
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(
      `loadTraining() takes the bytes that saveTraining() gave, got ${shown(bytes)}.`,
    );
  }
  checkOptimizer('loadTraining', optimizer);
  const { variables, areInOrder, trained } = wholeModel(model, 'loadTraining');
  const file = unpackFile(bytes, MOST_TENSORS * (variables.length + 1));
  const name = optimizer.getClassName();
  if (file.optimizer !== name && !takesOver(name, file.optimizer)) {
    throw new SlowlaneError(
      'STATE_MISMATCH',
      `The state is of a ${file.optimizer.slice(0, 80)}, not of a ${name}.`,
    );
  }
  const saved = matchAll(file.weights, variables, { areInOrder: areInOrder && file.areInOrder });
  const known = new Map(saved.map((entry, i) => [entry.name, variables[i] as tf.Variable]));
  const values = variables.map((variable, i) => {
    const found = saved[i] as HostValues;
    if (dtypeOf(found) === variable.dtype) return found.values;
    throw new SlowlaneError(
      'STATE_MISMATCH',
      `The saved training has no ${variable.dtype} values for the weight '${variable.name}'.`,
    );
  });
  const state = file.state.map(({ name: of, shape, values: own }) => ({
    name: of,
    tensor: hostTensor(own, shape),
  }));
  const assign = () => {
    for (const [i, variable] of variables.entries()) {
      if (isGone(variable)) continue; // its model is gone
      const { shape, dtype } = variable;
      tf.tidy(() => variable.assign(tf.tensor(values[i] as HostValues['values'], shape, dtype)));
    }
  };
  if (optimizer.loading) return optimizer.loading(state, known, assign, trained ?? undefined);
  await checkForeign(optimizer, state, { known, trained });
  await optimizer.setWeights(state);
  assign();
}

/** tfjs's own optimizers keep their state by position: the same weights have to be trained, in the same order. */
async function checkForeign(
  optimizer: SavableOptimizer,
  state: readonly NamedTensor[],
  { known, trained }: Pick<WholeModel, 'trained'> & { known: OwnerMap },
): Promise<void> {
  if (!(optimizer instanceof tf.Optimizer)) return;
  const { weights } = await readForeign(optimizer, state);
  if (!weights || weights.length === 0) return;
  const owners = new Owners(weights, { known });
  const places = weights.map(({ name }) => owners.of(name));
  if (!trained || (trained.length === places.length && trained.every((w, i) => w === places[i]))) {
    return;
  }
  throw new SlowlaneError(
    'STATE_MISMATCH',
    `${optimizer.getClassName()} keeps its state by the position of the weights. It was saved for ${places.length} trained weights, and the model trains ${trained.length} or others. Freeze the same layers as when it was saved, or use the optimizer of slowlane.`,
  );
}

function checkOptimizer(of: string, optimizer: unknown): void {
  const needed = ['getClassName', 'getWeights', 'setWeights'];
  const isOptimizer = typeof optimizer === 'object' && optimizer !== null;
  if (isOptimizer && needed.every((name) => typeof Reflect.get(optimizer, name) === 'function')) {
    return;
  }
  throw new TypeError(`${of}() takes an optimizer, got ${shown(optimizer)}.`);
}

function dtypeOf({ values }: HostValues): tf.DataType {
  return values instanceof Int32Array ? 'int32' : 'float32';
}
