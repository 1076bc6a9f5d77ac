// Sizes of memory: `'2GiB'`, `'1.5 GB'` or a number of bytes.

import { shown } from './check.js';

const UNIT_BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};
const SIZE = /^(\d+(?:\.\d+)?) ?([a-z]+)$/i;
const ALLOWED = `a size with its unit ('2GiB', '512MiB', '1.5 GB') or a whole number of bytes ≥ 1`;

/**
 * Returns the bytes that `value` stands for, rounded down; `name` is the option's. KiB, MiB, GiB and TiB
 * are powers of 1,024, KB, MB, GB and TB powers of 1,000; upper and lower case are the same. Throws a
 * TypeError for what is no size and a RangeError for one that is out of range.
 */
export function parseBytes(name: string, value: unknown): number {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 1) return value;
    throw new RangeError(`${name} must be ${ALLOWED}, got ${shown(value)}.`);
  }
  if (typeof value !== 'string') {
    throw new TypeError(`${name} must be ${ALLOWED}, got ${shown(value)}.`);
  }
  const [, digits = '', unit = ''] = SIZE.exec(value.trim()) ?? [];
  const unitBytes = UNIT_BYTES[unit.toLowerCase()];
  if (unitBytes === undefined) {
    const hint = /^\d+(\.\d+)?$/.test(value.trim())
      ? ' Add the unit, or give the bytes as a number.'
      : '';
    throw new TypeError(`${name} must be ${ALLOWED}, got ${shown(value)}.${hint}`);
  }
  const bytes = Math.floor(Number(digits) * unitBytes);
  if (Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
  throw new RangeError(`${name} must be ${ALLOWED}, got ${shown(value)}.`);
}
