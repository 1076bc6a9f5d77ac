// Bytes of activations in one step, from the shapes of a model's layers.
//
// What TensorFlow.js does, counted in tensors of a layer's output: the forward pass keeps what ops save for
// their gradients (of a dense layer with bias and ReLU the product, the sum and the result). The backward
// pass makes a gradient for each of them; with kept gradients of weights all of those live to its end (and one
// tensor in between), with released ones only those of the layer that it is at, and of the one before while
// they are small.

import type { GradientLifetime } from '../optimizers/step-options.js';

/** One layer of a model. Elements are those of its output, for one example. */
export interface PlannedLayer {
  readonly name: string;
  readonly outputElements: number;
  /** Tensors of that size that the forward pass keeps for the backward pass. */
  readonly savedTensors: number;
  /** Tensors of that size that the backward pass makes and, with kept gradients, holds to its end. */
  readonly gradientTensors: number;
}

export interface PlannedLayers {
  readonly inputElements: number;
  readonly layers: readonly PlannedLayer[];
}

/** Of the model's output: difference and square, and the gradients of a mean squared error. */
const LOSS_TENSORS = 6;
/** A layer that the backward pass is at: the gradients of its input and of its activation, and one between. */
const WORKING_TENSORS = 3;
/** From this size on the engine submits before it makes a tensor, and uses what was just freed. */
const REUSED_FROM_BYTES = 256 * 1024;
const FLOAT_BYTES = 4;

export interface ActivationBytes {
  readonly bytes: number;
  /** Tensors of other sizes that were freed: kept for the next step while there is room. */
  readonly pooledBytes: number;
}

/** Everything that grows with the batch; inputs and targets too. */
export function activationBytes(
  { inputElements, layers }: PlannedLayers,
  batchSize: number,
  gradients: GradientLifetime,
): ActivationBytes {
  const outputs = layers.map(({ outputElements }) => outputElements);
  const targets = outputs.at(-1) ?? 0;
  const saved = sum(layers.map((layer) => layer.savedTensors * layer.outputElements));
  const around = inputElements + targets + LOSS_TENSORS * targets;
  const perElement = FLOAT_BYTES * batchSize;
  if (gradients === 'keep') {
    const made = sum(layers.map((layer) => layer.gradientTensors * layer.outputElements));
    const widest = Math.max(0, ...outputs);
    return {
      bytes: perElement * (around + saved + made + widest),
      pooledBytes: perElement * sumOfOthers(outputs, [widest]),
    };
  }
  const [wide, next] = widestNeighbours(outputs);
  const working = Math.max(
    WORKING_TENSORS * perElement * wide,
    Math.min(WORKING_TENSORS * perElement * (wide + next), 2 * WORKING_TENSORS * REUSED_FROM_BYTES),
  );
  return {
    bytes: perElement * (around + saved) + working,
    pooledBytes: perElement * sumOfOthers(outputs, [wide, next]),
  };
}

/**
 * The same layers, checkpointed in blocks of √L: the forward pass keeps what goes into each block, the backward
 * pass runs one block again. Null where that saves nothing.
 */
export function checkpointed({ inputElements, layers }: PlannedLayers): PlannedLayers | null {
  const length = Math.ceil(Math.sqrt(layers.length));
  const blocks = Array.from({ length: Math.ceil(layers.length / length) }, (_, i) =>
    layers.slice(i * length, (i + 1) * length),
  );
  const savedIn = (block: readonly PlannedLayer[]) =>
    sum(block.map((layer) => layer.savedTensors * layer.outputElements));
  const largest = blocks.toSorted((a, b) => savedIn(b) - savedIn(a))[0];
  const kept = blocks.flatMap((block) =>
    block.map((layer, i) => {
      if (block === largest) return layer;
      return { ...layer, savedTensors: i === block.length - 1 ? 1 : 0 };
    }),
  );
  return savedIn(kept) < savedIn(layers) ? { inputElements, layers: kept } : null;
}

/** One tensor of each other size, freed and kept for the next step. */
function sumOfOthers(outputs: readonly number[], sizes: readonly number[]): number {
  return sum([...new Set(outputs)].filter((elements) => !sizes.includes(elements)));
}

/** The larger one first. */
function widestNeighbours(outputs: readonly number[]): [number, number] {
  let widest: [number, number] = [0, 0];
  outputs.forEach((elements, i) => {
    const next = outputs[i + 1] ?? 0;
    const pair: [number, number] = [Math.max(elements, next), Math.min(elements, next)];
    if (pair[0] + pair[1] > widest[0] + widest[1]) widest = pair;
  });
  return widest;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
