// Bytes of activations in one step, from the shapes of a model's layers.
//
// All is counted in tensors of a layer's output. The forward pass keeps the tensors that ops save for their gradients:
// of a dense layer with bias and ReLU the product, the sum and the result. The backward pass makes a gradient for each of
// them. With kept gradients of weights, all of these live until it ends, and one intermediate tensor. With released
// gradients, only those of the current layer live, and those of the previous one while they are small.

import type { GradientLifetime } from '../optimizers/step-options.js';

/** One layer of a model. Elements are counted for one example. */
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

/** Tensors of the model's output: difference, square, and the gradients of a mean squared error. */
const LOSS_TENSORS = 6;
/** Tensors of the current layer in the backward pass: the gradients of its input and activation, and one more. */
const WORKING_TENSORS = 3;
/** From this size on, the engine submits before it makes a tensor, so that it can reuse freed buffers. */
const REUSED_FROM_BYTES = 256 * 1024;
const FLOAT_BYTES = 4;

export interface ActivationBytes {
  readonly bytes: number;
  /** Freed tensors of other sizes, kept for the next step while there is room. */
  readonly pooledBytes: number;
}

/** Everything that grows with the batch, including inputs and targets. */
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
  const widest = Math.max(0, ...outputs);
  if (gradients === 'keep') {
    const made = sum(layers.map((layer) => layer.gradientTensors * layer.outputElements));
    return {
      bytes: perElement * (around + saved + made + widest),
      pooledBytes: perElement * sumOfOthers(outputs, [widest]),
    };
  }
  const [wide, next] = widestNeighbours(outputs);
  const working = Math.max(
    WORKING_TENSORS * perElement * widest,
    Math.min(WORKING_TENSORS * perElement * (wide + next), 2 * WORKING_TENSORS * REUSED_FROM_BYTES),
  );
  return {
    bytes: perElement * (around + saved) + working,
    pooledBytes: perElement * sumOfOthers(outputs, [wide, next]),
  };
}

/**
 * The same layers, checkpointed in blocks of √L: the forward pass keeps the input of each block, and the backward pass
 * runs one block again. null if that saves nothing.
 */
export function checkpointed({ inputElements, layers }: PlannedLayers): PlannedLayers | null {
  const length = Math.ceil(Math.sqrt(layers.length));
  const blocks = layers.flatMap((_, i) => (i % length === 0 ? [layers.slice(i, i + length)] : []));
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

/** One freed tensor of each size that is not in `sizes`. */
function sumOfOthers(outputs: readonly number[], sizes: readonly number[]): number {
  return sum([...new Set(outputs)].filter((elements) => !sizes.includes(elements)));
}

/** The two neighbours with the most elements together, the larger one first. */
function widestNeighbours(outputs: readonly number[]): [number, number] {
  let widest: [number, number] = [0, 0];
  outputs.forEach((elements, i) => {
    const next = outputs[i + 1] ?? 0;
    const pair: [number, number] = [Math.max(elements, next), Math.min(elements, next)];
    if (pair[0] + pair[1] > widest[0] + widest[1]) widest = pair;
  });
  return widest;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
