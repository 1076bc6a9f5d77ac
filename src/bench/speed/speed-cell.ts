// What becomes of the process of one policy.

import { withoutResult } from '../cell-end.js';
import { perParameter } from '../peak-bytes.js';
import type { DriverBytes } from '../peaks.js';
import type { Ended } from '../run-cell.js';
import { spreadOf } from '../statistics.js';
import { spreadsOfSyncs } from '../sync-costs.js';
import { spreadsOf } from '../timed-steps.js';
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
