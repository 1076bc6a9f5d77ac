// What becomes of the process of one policy.

import { withoutResult } from '../../../measure/failure.js';
import { perParameter } from '../../../measure/peak-bytes.js';
import type { DriverBytes } from '../../../measure/driver-meter.js';
import type { Ended } from '../../../measure/run-cell.js';
import { spreadOf } from '../../../measure/statistics.js';
import { spreadsOfSyncs } from '../../../measure/sync-costs.js';
import { spreadsOf } from '../../../measure/timed-steps.js';
import type { SpeedCell, SpeedTimes } from './speed-record.js';

const NOTHING = {
  parameters: null,
  stepTimesMs: null,
  syncs: null,
  logicalBytes: null,
  allocatorBytes: null,
  hostBytes: null,
  peakRssBytes: null,
  cycleMs: null,
  stepMs: null,
  syncStepMs: null,
  syncMs: null,
  allocatorBytesPerParameter: null,
  logicalBytesPerParameter: null,
} as const;

export function speedCellOf(
  policy: string,
  { result, failure, wallMs }: Ended<SpeedTimes>,
  driver: DriverBytes,
  syncPeriod: number,
): SpeedCell {
  const common = { policy, wallMs: Math.round(wallMs), driver };
  if (result === null) return { ...common, ...NOTHING, ...withoutResult(failure) };
  const means = result.stepTimesMs.map((repeat) => spreadOf(repeat)?.mean ?? NaN);
  const spreads = spreadsOf(result.stepTimesMs, syncPeriod);
  return {
    ...common,
    status: 'done',
    ...result,
    cycleMs: spreadOf(means),
    ...spreads,
    syncMs: spreadsOfSyncs(result.syncs),
    ...perParameter(result),
    failure: null,
  };
}
