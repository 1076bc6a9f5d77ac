// Numbers made of a cell's raw values.

import { type CellValues, type ReferenceValues, type TrainingValues } from './record.js';
import { type Spread, spreadOf } from '../../src/measure/statistics.js';
import { spreadsOf } from '../../src/measure/timed-steps.js';

export interface TrainingSummary {
  readonly kind: 'training';
  /** Steps without a sync, each waited for. */
  readonly stepMs: Spread | null;
  /** Steps with one. Also in cells without Lookahead: the same places in the cycle, to compare with. */
  readonly syncStepMs: Spread | null;
  readonly firstSyncStepMs: number | null;
  /** Over whole cycles: what a step costs in the long run. */
  readonly cycleMeanMs: number;
  /** Of each repeat, lowest and highest. */
  readonly cycleMeanRangeMs: readonly [number, number];
  /** The same when nothing waits between steps. */
  readonly unsynchronisedMs: Spread | null;
}

export interface ReferenceSummary {
  readonly kind: 'reference';
  readonly series: readonly {
    readonly name: string;
    readonly ms: Spread | null;
    readonly firstMs: number;
    /** Of the median; 10⁹ bytes a second, read and written. */
    readonly gigabytesPerSecond: number;
  }[];
}

export type CellSummary = TrainingSummary | ReferenceSummary;

export function summarize(values: CellValues, syncPeriod: number): CellSummary {
  return values.kind === 'training' ? ofTraining(values, syncPeriod) : ofReference(values);
}

function ofTraining(values: TrainingValues, syncPeriod: number): TrainingSummary {
  const means = values.awaitedMs.map((repeat) => spreadOf(repeat)?.mean ?? NaN);
  const stepsPerRepeat = values.awaitedMs[0]?.length ?? NaN;
  return {
    kind: 'training',
    ...spreadsOf(values.awaitedMs, syncPeriod),
    firstSyncStepMs: values.warmUpMs[syncPeriod - 1] ?? null,
    cycleMeanMs: spreadOf(values.awaitedMs.flat())?.mean ?? NaN,
    cycleMeanRangeMs: [Math.min(...means), Math.max(...means)],
    unsynchronisedMs: spreadOf(values.unsynchronisedMs.map((ms) => ms / stepsPerRepeat)),
  };
}

function ofReference({ series }: ReferenceValues): ReferenceSummary {
  return {
    kind: 'reference',
    series: series.map(({ name, bytes, ms, firstMs }) => {
      const spread = spreadOf(ms);
      return {
        name,
        ms: spread,
        firstMs,
        gigabytesPerSecond: bytes / (spread?.median ?? NaN) / 1e6,
      };
    }),
  };
}
