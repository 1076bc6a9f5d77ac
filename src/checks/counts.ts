// Numbers of parameters: `'350M'`, `'1.3B'` or a number.

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
