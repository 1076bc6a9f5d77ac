// Counts: of parameters (`'350M'`), steps, examples.

import { shown } from './check.js';

const COUNT = /^(\d+(?:\.\d+)?(?:e\d+)?) ?([kmbg]?)$/i;
const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, b: 1e9, g: 1e9 };
const ALLOWED = `a number of parameters ('350M', '1.3B', 350e6)`;

/**
 * Returns the count that `value` stands for; `name` is the option's.
 *
 * @throws TypeError if it is not a count, RangeError for a number that is not a whole number ≥ 1.
 */
export function parseCount(name: string, value: unknown): number {
  const [, digits = 'NaN', unit = ''] = COUNT.exec(String(value).trim()) ?? [];
  const count =
    typeof value === 'string'
      ? Math.round(Number(digits) * (UNITS[unit.toLowerCase()] ?? NaN))
      : value;
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 1) return count;
  const kind = typeof value === 'number' ? RangeError : TypeError;
  throw new kind(`${name} must be ${ALLOWED}, got ${shown(value)}.`);
}

/** `60,000`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1.3B`, `350M`, `8.2k`: at most three digits, rounded down, so that a model of this size still fits. */
export function shortCount(count: number): string {
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
