// All weights of a model, in an order that does not depend on which layers are frozen.

import * as tf from '@tensorflow/tfjs-core';

import { shown } from '../checks/check.js';

/** A `tf.LayersModel`, as far as it is needed, or the variables of any other model. */
export type SavableModel =
  | { readonly weights: readonly { read(): tf.Tensor }[] }
  | readonly tf.Variable[];

export interface WholeModel {
  readonly variables: readonly tf.Variable[];
  /** In the order of the model's layers; else in the order in which they were given. */
  readonly areInOrder: boolean;
  /** What the model trains, in its order; null if it does not say. */
  readonly trained: readonly tf.Variable[] | null;
}

interface Layer {
  readonly weights: readonly { read(): tf.Tensor }[];
  /** Of a model inside a model. */
  readonly layers?: readonly Layer[];
  readonly trainableWeights?: readonly { read(): tf.Tensor }[];
}

/** @throws TypeError for anything else than a model or a list of variables, each once. */
export function wholeModel(model: SavableModel, of: string): WholeModel {
  const given: unknown = model;
  const isModel = typeof given === 'object' && given !== null && 'weights' in given;
  if (isModel && !canRead(given.weights)) throw noModel(of, given);
  if (!isModel && !Array.isArray(given)) throw noModel(of, given);
  const found = 'weights' in model ? weightsIn(model) : [...model];
  if (!found.every((weight) => weight instanceof tf.Variable)) throw noModel(of, given);
  const variables = [...new Set(found)];
  const trained = 'weights' in model ? (model as Layer).trainableWeights : undefined;
  return {
    variables,
    areInOrder: 'layers' in model,
    trained: trained?.map((weight) => weight.read() as tf.Variable) ?? null,
  };
}

function canRead(weights: unknown): boolean {
  const reads = (weight: unknown) =>
    typeof weight === 'object' && weight !== null && 'read' in weight;
  return Array.isArray(weights) && Array.from(weights as unknown[]).every(reads);
}

/**
 * Layer by layer, then all again, of which those in no layer are new. A layer lists its frozen weights last, and so does a model; within a layer the order in which its
 * weights were made is the same in each model of that kind.
 */
function weightsIn({ weights, layers }: Layer): tf.Tensor[] {
  const own = weights.map((weight) => weight.read());
  if (!Array.isArray(layers)) return own.toSorted((a, b) => a.id - b.id);
  return [...layers.flatMap((layer) => weightsIn(layer)), ...own];
}

function noModel(of: string, given: unknown): TypeError {
  return new TypeError(
    `${of}() takes a LayersModel or an array of variables, got ${shown(given)}.`,
  );
}
