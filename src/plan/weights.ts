// The `weights` of a plan: a list of shapes or sizes, or only a count.

import { shown } from '../checks/check.js';
import { parseCount } from '../checks/counts.js';
import type { PlannedWeight } from './policies.js';

/**
 * A list of shapes or of numbers of elements, or a number of parameters: `350e6`, `'350M'`, `'1.3B'`. A number of
 * parameters is planned as equal matrices, one per layer, because the size of the largest weight is not known.
 */
export type PlanWeights =
  | number
  | string
  | readonly (number | { readonly shape: readonly number[]; readonly name?: string })[];

/** `count` parameters as `layers` matrices whose sizes differ by one element at most. */
export function equalWeights(count: number, layers: number): PlannedWeight[] {
  const each = Math.floor(count / layers);
  return Array.from({ length: layers }, (_, i) =>
    matrixOf(each + (i < count % layers ? 1 : 0), `layer ${i + 1}`),
  ).filter(({ elements }) => elements > 0);
}

/** @throws TypeError or RangeError on a wrong value. */
export function checkWeights(weights: unknown, layers: number): PlannedWeight[] {
  if (!Array.isArray(weights)) return equalWeights(parseCount('weights', weights), layers);
  if (weights.length === 0) {
    throw new RangeError('weights must hold at least one weight, got [] (array).');
  }
  return Array.from(weights as unknown[], (given, i) => checkWeight(`weights[${i}]`, given));
}

function checkWeight(at: string, given: unknown): PlannedWeight {
  if (Number.isSafeInteger(given) && (given as number) >= 1) {
    return matrixOf(given as number, at);
  }
  const { shape, name } = (given ?? {}) as { shape?: unknown; name?: unknown };
  const isLength = (length: unknown) => Number.isSafeInteger(length) && (length as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isLength)) {
    throw new TypeError(
      `${at} must be { shape: [512, 512] } or a whole number of elements ≥ 1, got ${shown(given)}.`,
    );
  }
  const lengths = shape as readonly number[];
  return {
    name: typeof name === 'string' ? name : at,
    shape: lengths,
    elements: lengths.reduce((product, length) => product * length, 1),
    isTrained: true,
  };
}

function matrixOf(elements: number, name: string): PlannedWeight {
  return { name, shape: [elements, 1], elements, isTrained: true };
}
