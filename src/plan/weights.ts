// The weights of a plan: a list of shapes or sizes, or a count alone.

import { shown } from '../checks/check.js';
import type { PlannedWeight } from './policies.js';

/**
 * A list of shapes or of numbers of elements, or a number of parameters: `350e6`, `'350M'`, `'1.3B'`. Of a
 * count it isn't known how large the largest weight is: it is planned as equal matrices, one a layer.
 */
export type PlanWeights =
  | number
  | string
  | readonly (number | { readonly shape: readonly number[]; readonly name?: string })[];

const COUNT = /^(\d+(?:\.\d+)?(?:e\d+)?) ?([kmbg]?)$/i;
const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, b: 1e9, g: 1e9 };
const COUNT_ALLOWED = `a number of parameters ('350M', '1.3B', 350e6)`;

/** Returns the parameters that `value` stands for; `name` is the option's. */
export function parseCount(name: string, value: unknown): number {
  const [, digits = 'NaN', unit = ''] = COUNT.exec(String(value).trim()) ?? [];
  const count =
    typeof value === 'string'
      ? Math.round(Number(digits) * (UNITS[unit.toLowerCase()] ?? NaN))
      : value;
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 1) return count;
  const kind = typeof value === 'number' ? RangeError : TypeError;
  throw new kind(`${name} must be ${COUNT_ALLOWED}, got ${shown(value)}.`);
}

/** `1.3B`, `350M`, `8.2k`: three digits at most, rounded down, so that what it says fits. */
export function formatCount(count: number): string {
  for (const [unit, one] of [
    ['B', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (count < one) continue;
    const digits = Math.max(0, 2 - Math.floor(Math.log10(count / one)));
    return `${Math.floor((count / one) * 10 ** digits + 1e-9) / 10 ** digits}${unit}`;
  }
  return String(Math.floor(count));
}

/** `count` parameters as `layers` matrices of the same size, but for what is left over. */
export function equalWeights(count: number, layers: number): PlannedWeight[] {
  const each = Math.floor(count / layers);
  return Array.from({ length: layers }, (_, i) =>
    matrixOf(each + (i < count % layers ? 1 : 0), `layer ${i + 1}`),
  ).filter(({ elements }) => elements > 0);
}

/** The list, checked. */
export function checkWeights(weights: unknown, layers: number): PlannedWeight[] {
  if (!Array.isArray(weights)) return equalWeights(parseCount('weights', weights), layers);
  if (weights.length === 0) {
    throw new RangeError('weights must hold at least one weight, got [] (array).');
  }
  return weights.map((given: unknown, i) => checkWeight(`weights[${i}]`, given));
}

function checkWeight(at: string, given: unknown): PlannedWeight {
  if (typeof given === 'number' && Number.isSafeInteger(given) && given >= 1) {
    return matrixOf(given, at);
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
