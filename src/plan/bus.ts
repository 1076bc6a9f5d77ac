// The speed of the bus between host and device: a number, or by the slot of the card.

import { nearest, shown } from '../checks/check.js';
import { parseBytes } from '../checks/bytes.js';

const GB = 1e9;

/**
 * Bytes per second in practice, both directions of a sync together. `pcie5x16` was measured (48 GB/s, a sync on an
 * H100). The others are half of that per generation and per half of the lanes.
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

/** Returns the bytes per second of `'pcie4x16'`, `'12GB/s'` or a number. null if `value` is not given. */
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
