/** Gradients as callers pass them, and the weights that they belong to. */
import * as tf from '@tensorflow/tfjs-core';
import { nearest, shown } from '../checks/check.js';
import { variablesByName } from '../tfjs/variables.js';

/**
 * Gradients by the name of their weight: a map, or an array of `{ name, tensor }`. null or undefined: the weight has no gradient.
 */
export type Gradients =
  | Readonly<Record<string, tf.Tensor | null | undefined>>
  | readonly { readonly name: string; readonly tensor: tf.Tensor | null | undefined }[];

export interface WeightGradient {
  readonly weight: tf.Variable;
  readonly gradient: tf.Tensor;
}

/**
 * Finds the weights of a caller's gradients.
 *
 * @throws TypeError, RangeError or Error if a weight is unknown, given twice or not float32, or if a gradient is
 *   disposed or has another shape than its weight.
 */
export function checkGradients(gradients: Gradients): WeightGradient[] {
  const given: unknown = gradients;
  const isEntry = (entry: unknown) =>
    typeof entry === 'object' &&
    entry !== null &&
    'name' in entry &&
    typeof entry.name === 'string';
  if (
    typeof given !== 'object' ||
    given === null ||
    (isList(gradients) && !Array.from(gradients).every(isEntry))
  ) {
    throw new TypeError(
      `applyGradients() takes a map of names to gradients or an array of { name, tensor }, got ${shown(given)}.`,
    );
  }
  const entries: (readonly [string, tf.Tensor | null | undefined])[] = isList(gradients)
    ? gradients.map(({ name, tensor }) => [name, tensor])
    : Object.entries(gradients);
  const known = variablesByName();
  const found = new Map<string, WeightGradient>();
  for (const [name, gradient] of entries) {
    if (gradient === null || gradient === undefined) continue;
    const weight = Object.hasOwn(known, name) ? known[name] : undefined;
    if (weight === undefined) {
      const near = nearest(name, Object.keys(known));
      const hint = near === undefined ? '' : ` Did you mean '${near}'?`;
      throw new RangeError(`applyGradients: there is no variable named '${name}'.${hint}`);
    }
    if (found.has(name)) throw new RangeError(`applyGradients: '${name}' is given twice.`);
    checkGradient(weight, gradient);
    found.set(name, { weight, gradient });
  }
  return [...found.values()];
}

/** All names in the order given, with or without a gradient. */
export function gradientNames(gradients: Gradients): string[] {
  return isList(gradients) ? gradients.map(({ name }) => name) : Object.keys(gradients);
}

/** The gradients of `variableGrads`, in the order of the variable list; a weight named twice counts once. */
export function matchGradients(
  gradients: tf.NamedTensorMap,
  varList: readonly tf.Variable[] | undefined,
): WeightGradient[] {
  const byName: Readonly<Record<string, tf.Tensor | null | undefined>> = gradients;
  const known = variablesByName();
  const weights = varList ?? Object.keys(gradients).map((name) => known[name]);
  const found: WeightGradient[] = [];
  for (const weight of new Set(weights)) {
    const gradient = weight === undefined ? undefined : byName[weight.name];
    if (weight === undefined || !gradient) continue;
    checkTrainable(weight);
    found.push({ weight, gradient });
  }
  return found;
}

/** An update would assign a float32 value, which tfjs refuses in the middle of the step. */
function checkTrainable({ name, dtype }: tf.Variable): void {
  if (dtype === 'float32') return;
  throw new TypeError(
    `The weight '${name}' is ${dtype}; only float32 can be trained. Make it with trainable = false.`,
  );
}

function checkGradient(weight: tf.Variable, gradient: tf.Tensor): void {
  checkTrainable(weight);
  if (!weight.trainable) {
    throw new TypeError(
      `applyGradients: '${weight.name}' is frozen (trainable = false) and is not moved. Leave its gradient out, or set trainable = true.`,
    );
  }
  if (!(gradient instanceof tf.Tensor)) {
    throw new TypeError(
      `applyGradients: the gradient of '${weight.name}' must be a tensor or null, got ${shown(gradient)}.`,
    );
  }
  if (gradient.isDisposed) {
    throw new Error(`applyGradients: the gradient of '${weight.name}' is disposed.`);
  }
  if (!tf.util.arraysEqual(weight.shape, gradient.shape)) {
    throw new RangeError(
      `applyGradients: the gradient of '${weight.name}' must have its shape [${weight.shape.join(', ')}], ` +
        `got [${gradient.shape.join(', ')}].`,
    );
  }
}

function isList(gradients: Gradients): gradients is Extract<Gradients, readonly unknown[]> {
  return Array.isArray(gradients);
}
