// What becomes of the process of one place of slow weights.

import { withoutResult } from '../../../measure/failure.js';
import type { Ended } from '../../../measure/run-cell.js';
import type { SlowPlace } from '../../../measure/slow-places.js';
import { spreadOf } from '../../../measure/statistics.js';
import { spreadsOfSyncs } from '../../../measure/sync-costs.js';
import type { SyncCell, SyncMeasured } from './sync-record.js';

const NOTHING = {
  parameters: null,
  bytes: null,
  warmUpMs: null,
  times: null,
  bus: null,
  callMs: null,
  doneMs: null,
  partsMs: null,
  bytesPerSecond: null,
  busBytesPerSecond: null,
  shareOfBus: null,
} as const;

export function syncCellOf(
  slow: SlowPlace,
  { result, failure, wallMs }: Ended<SyncMeasured>,
): SyncCell {
  const common = { slow, wallMs: Math.round(wallMs) };
  if (result === null) return { ...common, ...NOTHING, ...withoutResult(failure) };
  const { bytes, bus, times } = result;
  const doneMs = spreadOf(times.doneMs);
  const speedOf = (ms: number | undefined) =>
    bytes === 0 || ms === undefined ? null : bytes / (ms / 1000);
  const bytesPerSecond = speedOf(doneMs?.median);
  const busBytesPerSecond = speedOf(spreadOf(bus?.roundMs ?? [])?.median);
  const isKnown = bytesPerSecond !== null && busBytesPerSecond !== null;
  return {
    ...common,
    status: 'done',
    ...result,
    callMs: spreadOf(times.callMs),
    doneMs,
    partsMs: spreadsOfSyncs(times.costs),
    bytesPerSecond,
    busBytesPerSecond,
    shareOfBus: isKnown ? bytesPerSecond / busBytesPerSecond : null,
    failure: null,
  };
}
