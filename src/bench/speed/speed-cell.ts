// What becomes of the process of one policy.

import type { Ended } from '../run-cell.js';
import { spreadOf } from '../statistics.js';
import { spreadsOf } from '../timed-steps.js';
import type { SpeedCell, SpeedTimes } from './speed-record.js';

const NOTHING = {
  parameters: null,
  stepTimesMs: null,
  sync: null,
  cycleMs: null,
  stepMs: null,
  syncStepMs: null,
} as const;

export function speedCellOf(
  policy: string,
  { result, failure, wallMs }: Ended<SpeedTimes>,
  syncPeriod: number,
): SpeedCell {
  const common = { policy, wallMs: Math.round(wallMs) };
  if (result === null) {
    const why = failure ?? { kind: 'error', reason: 'it ended without a result' };
    const status = why.kind === 'interrupted' ? 'stopped' : 'failed';
    return { ...common, status, ...NOTHING, failure: why };
  }
  const means = result.stepTimesMs.map((repeat) => spreadOf(repeat)?.mean ?? NaN);
  const spreads = spreadsOf(result.stepTimesMs, syncPeriod);
  return {
    ...common,
    status: 'done',
    ...result,
    cycleMs: spreadOf(means),
    ...spreads,
    failure: null,
  };
}
