// The data of the charts, as the page contains it.

import type { TimelineData } from '../meter/timeline-data.js';
import { type MemoryPoints, memoryPoints } from './memory-points.js';
import type { RunRecord } from '../records/run-record.js';
import { centeredMeans } from './smoothing.js';
import type { StepTimes } from '../records/step-times.js';

/** A run and its name on the page. */
export interface NamedRun {
  readonly name: string;
  readonly record: RunRecord;
}

export interface MemoryChart {
  readonly points: MemoryPoints;
  readonly budgetBytes: number | null;
  readonly source: TimelineData['source'];
  readonly stepsPerRow: number;
}

interface RunCharts {
  readonly name: string;
  readonly steps: number;
  readonly loss: {
    readonly step: readonly number[];
    readonly each: readonly (number | null)[];
    readonly mean: readonly (number | null)[];
  };
  readonly validation: RunRecord['validation'];
  readonly memory: MemoryChart | null;
  readonly times: StepTimes;
}

export interface ReportData {
  readonly categories: readonly string[];
  readonly phases: readonly string[];
  readonly runs: readonly RunCharts[];
}

export function reportData(runs: readonly NamedRun[]): ReportData {
  const timeline = runs.find(({ record }) => record.timeline !== null)?.record.timeline;
  return {
    categories: timeline?.categories ?? [],
    phases: timeline?.phases ?? [],
    runs: runs.map(chartsOf),
  };
}

function chartsOf({ name, record }: NamedRun): RunCharts {
  const { losses, validation, timeline, stepTimes, steps } = record;
  const each = losses.map(({ loss }) => loss);
  return {
    name,
    steps: steps.done,
    loss: { step: losses.map(({ step }) => step), each, mean: centeredMeans(each) },
    // Copied, because those of a running run grow.
    validation: {
      step: [...validation.step],
      fast: [...validation.fast],
      slow: [...validation.slow],
    },
    memory:
      timeline === null
        ? null
        : {
            points: memoryPoints(timeline),
            budgetBytes: timeline.budgetBytes,
            source: timeline.source,
            stepsPerRow: timeline.steps.stepsPerRow,
          },
    times: stepTimes,
  };
}
