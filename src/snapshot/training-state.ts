// A training as bytes: the weights and the optimizer's state, to go on with another day. For models that
// are not LayersModels, and for all who do not want the three files of `model.save`.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import { shown } from '../checks/check.js';
import { hostTensor } from '../tfjs/host-tensor.js';
import { matchSaved } from '../optimizers/state/match-saved.js';
import type { NamedTensor } from '../tfjs/named-tensor.js';
import { type HostValues, packFile, type PackedFile, unpackFile } from './packed-tensors.js';

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
  /** Of a Lookahead: runs `save` while no step can be taken, so that what it reads fits together. */
  saving?<T>(save: (state: NamedTensor[]) => Promise<T>): Promise<T>;
  /** Of a Lookahead: matches the restored slow weights to their variables. */
  attach?(weights: readonly tf.Variable[]): Promise<void>;
}

/** A `tf.LayersModel`, as far as it is needed, or the variables of any other model. */
export type SavableModel =
  | { readonly weights: readonly { read(): tf.Tensor }[] }
  | readonly tf.Variable[];

/**
 * Packs the values of all weights of `model` (those that are not trained too) and the state of `optimizer`, also in the
 * middle of a cycle. The bytes are the caller's.
 *
 * @throws TypeError for a model without variables, or a weight that is neither float32 nor int32.
 * @throws SlowlaneError SYNC_DUE if a Lookahead has to sync first; STEP_OPEN between micro-batches; SYNC_RUNNING if a step was
 * taken meanwhile.
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
  const variables = variablesOf(model, 'saveTraining');
  for (const { name, dtype } of variables) {
    if (dtype === 'float32' || dtype === 'int32') continue;
    throw new TypeError(
      `saveTraining() keeps float32 and int32; the weight '${name}' is ${dtype}.`,
    );
  }
  const { iterations } = optimizer;
  const pack = async (state: NamedTensor[]): Promise<Uint8Array> => {
    const weights = variables.map((tensor) => ({ name: tensor.name, tensor }));
    const file = { optimizer: optimizer.getClassName(), ...(await readAll(weights, state)) };
    if (optimizer.iterations === iterations || optimizer.saving) return packFile(file);
    throw new SlowlaneError(
      'SYNC_RUNNING',
      'A step was taken while saveTraining() was reading. Await it before the next step.',
    );
  };
  return optimizer.saving ? optimizer.saving(pack) : pack(await optimizer.getWeights());
}

async function readAll(
  weights: readonly NamedTensor[],
  state: readonly NamedTensor[],
): Promise<Pick<PackedFile, 'weights' | 'state'>> {
  const read = async ({ name, tensor }: NamedTensor): Promise<HostValues> => ({
    name,
    shape: tensor.shape,
    values: (await tensor.data()) as Float32Array | Int32Array,
  });
  return {
    weights: await Promise.all(weights.map(read)),
    state: await Promise.all(state.map(read)),
  };
}

/**
 * Puts back what `saveTraining` gave, into a model with the same weights and an optimizer made with the same options.
 * Training then continues to the bit. Everything is checked before anything changes.
 *
 * @throws TypeError if `bytes` is no Uint8Array, or `model` has no variables.
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
  const file = unpackFile(bytes);
  const name = optimizer.getClassName();
  if (file.optimizer !== name) {
    throw new SlowlaneError(
      'STATE_MISMATCH',
      `The state is of a ${file.optimizer}, not of a ${name}.`,
    );
  }
  const variables = variablesOf(model, 'loadTraining');
  const saved = matchSaved(file.weights, variables);
  const left = file.weights.find((entry) => !saved.includes(entry));
  if (left) {
    throw new SlowlaneError(
      'STATE_MISMATCH',
      `The saved training has the weight '${left.name}', which is not among the ${variables.length} given. Give all that were saved.`,
    );
  }
  const pairs = variables.map((variable, i) => {
    const found = saved[i];
    if (found && dtypeOf(found) === variable.dtype) return { variable, values: found.values };
    throw new SlowlaneError(
      'STATE_MISMATCH',
      `The saved training has no ${variable.dtype} values for the weight '${variable.name}'.`,
    );
  });
  await optimizer.setWeights(
    file.state.map(({ name: of, shape, values }) => ({
      name: of,
      tensor: hostTensor(values, shape),
    })),
  );
  for (const { variable, values } of pairs) {
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape, variable.dtype)));
  }
  await optimizer.attach?.(variables);
}

function variablesOf(model: SavableModel, of: string): tf.Variable[] {
  const given: unknown = model;
  const isModel = typeof given === 'object' && given !== null && 'weights' in given;
  if (isModel || Array.isArray(given)) {
    const weights = 'weights' in model ? model.weights.map((weight) => weight.read()) : [...model];
    if (weights.every((weight) => weight instanceof tf.Variable)) return weights;
  }
  throw new TypeError(`${of}() takes a LayersModel or an array of variables, got ${shown(given)}.`);
}

function dtypeOf({ values }: HostValues): tf.DataType {
  return values instanceof Int32Array ? 'int32' : 'float32';
}
