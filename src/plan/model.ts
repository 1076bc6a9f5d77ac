// The weights of a `tf.LayersModel`, and the tensors that each layer keeps for the backward pass. Reads shapes and
// configurations; runs nothing.

import type * as tf from '@tensorflow/tfjs-core';

import type { PlannedLayer, PlannedLayers } from './activations.js';
import type { PlannedWeight } from './policies.js';
import { shown } from '../checks/check.js';

type Shape = readonly (number | null)[];

interface ModelWeight {
  readonly name: string;
  readonly shape: Shape;
  /** Its variable. */
  read?(): tf.Tensor;
}

interface ModelLayer {
  readonly name: string;
  /** One per use of the layer in a model. */
  readonly inboundNodes: readonly { readonly inputShapes: unknown }[];
  readonly outputShape: unknown;
  getClassName(): string;
  getConfig(): Readonly<Record<string, unknown>>;
}

/** A `tf.LayersModel`, as far as the planner needs it. */
export interface PlannableModel {
  /** Its layers. */
  readonly layers: readonly ModelLayer[];
  /** All weights. */
  readonly weights: readonly ModelWeight[];
  /** Those that are trained. */
  readonly trainableWeights: readonly ModelWeight[];
  /** Its inputs, with their shapes. */
  readonly inputs: readonly { readonly shape: Shape }[];
}

export interface ModelShapes {
  readonly weights: readonly PlannedWeight[];
  readonly layers: PlannedLayers;
  /** Sentences about what is assumed. */
  readonly assumptions: readonly string[];
}

/** @throws TypeError if `model` is not a LayersModel; RangeError if a length other than the batch is open. */
export function readModel(model: PlannableModel): ModelShapes {
  checkIsModel(model);
  const trained = new Set(model.trainableWeights);
  const weights = model.weights.map((weight): PlannedWeight => {
    const shape = weight.shape.map((length) => length ?? 0);
    const variable = weight.read?.() as tf.Variable | undefined;
    return {
      name: weight.name,
      shape,
      elements: productOf(shape),
      isTrained: trained.has(weight),
      ...(variable === undefined ? {} : { variable }),
    };
  });
  const doubts: Doubts = { unknown: new Set(), recurrent: new Set() };
  const layers = leavesOf(model).map((layer) => planLayer(layer, doubts));
  const assumptions = ['a loss like the mean squared error, which keeps two tensors of the output'];
  const named = (descriptions: ReadonlySet<string>, what: string): string[] =>
    descriptions.size === 0 ? [] : [`${[...descriptions].join(', ')}: ${what}`];
  assumptions.push(
    ...named(doubts.recurrent, 'by one measurement of such a layer; expect to be a third off'),
    ...named(
      doubts.unknown,
      'not known to the planner; counted as two tensors of the output, which may be far too few',
    ),
  );
  const inputElements = model.inputs.reduce(
    (sum, { shape }) => sum + elementsOf(shape, 'the input'),
    0,
  );
  return { weights, layers: { inputElements, layers }, assumptions };
}

/** Their output is a view, or they have none. */
const WITHOUT_TENSORS = new Set(['InputLayer', 'Flatten', 'Reshape', 'RepeatVector']);
/** One tensor that the next layer keeps, and its gradient. */
const ONE_TENSOR = new Set([
  'Activation',
  'ReLU',
  'Permute',
  'Add',
  'Multiply',
  'Concatenate',
  'Embedding',
  'MaxPooling1D',
  'MaxPooling2D',
  'AveragePooling1D',
  'AveragePooling2D',
  'GlobalAveragePooling1D',
  'GlobalAveragePooling2D',
  'GlobalMaxPooling1D',
  'GlobalMaxPooling2D',
  'UpSampling2D',
  'ZeroPadding2D',
]);
/** Product, bias, activation. Without an activation TensorFlow.js fuses the first two. */
const FUSED_PRODUCTS = new Set(['Dense', 'Conv2D']);
/**
 * Tensors of [batch, units] for each time step: what is saved, and gradients. Measured once on the engine, with
 * 64 units, 16 steps and a batch of 32; gradients of the kernels, one a step, are in the second number.
 */
const RECURRENT: Readonly<Record<string, readonly [saved: number, gradients: number]>> = {
  LSTM: [32, 32],
  GRU: [36, 34],
  SimpleRNN: [7, 6],
};
const PRODUCTS = new Set(['Conv1D', 'Conv2DTranspose', 'DepthwiseConv2D']);

/** Layers that the planner counts only roughly, by their descriptions. */
interface Doubts {
  readonly unknown: Set<string>;
  readonly recurrent: Set<string>;
}

function planLayer(layer: ModelLayer, { unknown, recurrent }: Doubts): PlannedLayer {
  const outputElements = elementsOf(layer.outputShape, `layer '${layer.name}'`);
  const tensors = (savedTensors: number, gradientTensors: number): PlannedLayer => ({
    name: layer.name,
    outputElements,
    savedTensors,
    gradientTensors,
  });
  const className = layer.getClassName();
  if (WITHOUT_TENSORS.has(className)) return tensors(0, 0);
  if (ONE_TENSOR.has(className)) return tensors(1, 1);
  if (className === 'Dropout')
    return layer.getConfig()['rate'] === 0 ? tensors(0, 0) : tensors(2, 1);
  const isFused = FUSED_PRODUCTS.has(className);
  if (isFused || PRODUCTS.has(className)) {
    const config = layer.getConfig();
    const isLinear = isLinearActivation(config['activation']);
    const hasBias = config['useBias'] !== false && config['use_bias'] !== false;
    if (isFused && isLinear) return tensors(1, 1);
    // The gradient of adding a bias is the gradient itself.
    return tensors(1 + (hasBias ? 1 : 0) + (isLinear ? 0 : 1), isLinear ? 1 : 2);
  }
  const description = `layer '${layer.name}' (${className})`;
  const perStep = RECURRENT[className];
  if (perStep !== undefined) {
    recurrent.add(description);
    const steps = elementsOf(layer.inboundNodes[0]?.inputShapes, `the input of ${description}`, 1);
    const outputs = (steps * Number(layer.getConfig()['units'])) / outputElements;
    return tensors(perStep[0] * outputs, perStep[1] * outputs);
  }
  unknown.add(description);
  return tensors(2, 2);
}

/** A model may be a layer of another model. */
function leavesOf(model: { readonly layers: readonly ModelLayer[] }): ModelLayer[] {
  return model.layers.flatMap((layer) =>
    'layers' in layer
      ? leavesOf(layer as ModelLayer & { readonly layers: readonly ModelLayer[] })
      : [layer],
  );
}

/** Elements per example: the first length is the batch. Several outputs add up. Only the first `most` lengths count. */
function elementsOf(shape: unknown, of: string, most = Infinity): number {
  if (!Array.isArray(shape)) throw new TypeError(`${of} has no shape: build the model first.`);
  if (Array.isArray(shape[0])) {
    return shape.reduce((sum: number, one: unknown) => sum + elementsOf(one, of, most), 0);
  }
  const lengths = shape.slice(1, 1 + most) as Shape;
  const isKnown = (length: number | null): length is number => length !== null;
  if (lengths.every(isKnown)) return productOf(lengths);
  throw new RangeError(
    `${of} has an open length: its shape is [${(shape as Shape).map((length) => length ?? 'null').join(', ')}]. ` +
      `Only the batch may be open: give the first layer a full inputShape, or plan with weights and activationBytes.`,
  );
}

function isLinearActivation(activation: unknown): boolean {
  return activation === undefined || activation === null || activation === 'linear';
}

function productOf(lengths: readonly number[]): number {
  return lengths.reduce((product, length) => product * length, 1);
}

function checkIsModel(model: unknown): void {
  const { layers, weights, trainableWeights } = (model ?? {}) as Partial<PlannableModel>;
  if ([layers, weights, trainableWeights].every(Array.isArray)) return;
  throw new TypeError(`model must be a tf.LayersModel, got ${shown(model)}.`);
}
