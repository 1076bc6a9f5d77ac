// What becomes of the process of one policy.

import { withoutResult } from '../../../measure/failure.js';
import { perParameter } from '../../../measure/peak-bytes.js';
import type { DriverBytes } from '../../../measure/driver-meter.js';
import type { Ended } from '../../../measure/run-cell.js';
import type { MemoryCell, MemoryCounts } from './memory-record.js';

const NOTHING = {
  parameters: null,
  logicalBytes: null,
  allocatorBytes: null,
  atPeak: null,
  highest: null,
  hostBytes: null,
  peakRssBytes: null,
  losses: null,
  allocatorBytesPerParameter: null,
  logicalBytesPerParameter: null,
} as const;

export function memoryCellOf(
  policy: string,
  { result, failure, wallMs }: Ended<MemoryCounts>,
  driver: DriverBytes,
): MemoryCell {
  const common = { policy, wallMs: Math.round(wallMs), driver };
  if (result === null) return { ...common, ...NOTHING, ...withoutResult(failure) };
  return {
    ...common,
    status: 'done',
    ...result,
    ...perParameter(result),
    failure: null,
  };
}
