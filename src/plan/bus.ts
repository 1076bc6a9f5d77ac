// How fast bytes go between host and device: given, or by the slot that the card is in.

import { nearest, shown } from '../checks/check.js';
import { parseBytes } from '../checks/bytes.js';

const GB = 1e9;

/**
 * Bytes a second that arrive in practice, both directions of a sync together. `pcie5x16` was measured (48 GB/s,
 * a sync on an H100); the others are that, halved with each generation and each half of the lanes.
 */
export const BUS_BYTES_PER_SECOND = {
  pcie3x8: 6 * GB,
  pcie3x16: 12 * GB,
  pcie4x8: 12 * GB,
  pcie4x16: 24 * GB,
  pcie5x8: 24 * GB,
  pcie5x16: 48 * GB,
} as const;

export type BusName = keyof typeof BUS_BYTES_PER_SECOND;

const NAMES = Object.keys(BUS_BYTES_PER_SECOND) as readonly BusName[];

/** Returns bytes a second: of `'pcie4x16'`, `'12GB/s'` or a number of them. Null: not known. */
export function checkBus(name: string, value: unknown): number | null {
  if (value === undefined || value === null) return null;
  const known = NAMES.find((bus) => bus === value);
  if (known !== undefined) return BUS_BYTES_PER_SECOND[known];
  try {
    return parseBytes(name, typeof value === 'string' ? value.replace(/\/s$/, '') : value);
  } catch {
    const near = typeof value === 'string' ? nearest(value, NAMES) : undefined;
    const hint = near === undefined ? '' : ` Did you mean '${near}'?`;
    throw new TypeError(
      `${name} must be ${NAMES.join(', ')} or a speed ('12GB/s', bytes a second), got ${shown(value)}.${hint}`,
    );
  }
}
