// One training run while it goes on, and who follows it.

import type { Meter } from '../../meter/meter.js';
import type { EvaluationRecord } from '../../records/run-record.js';
import type { DataSet } from '../../models/dataset.js';
import type { Engine } from './engine.js';
import type { Model } from '../../models/model.js';
import type { TrainOptions } from './options.js';
import type { Trainer } from './trainer.js';
import type { LoopState } from './loop.js';

/** A run so far: the record is made of it at any time. */
export interface Run {
  readonly options: TrainOptions;
  readonly toolVersion: string;
  readonly startedAt: Date;
  readonly data: DataSet;
  readonly engine: Engine;
  readonly model: Model;
  readonly trainer: Trainer;
  readonly stepsPlanned: number;
  readonly state: LoopState;
  readonly evaluations: EvaluationRecord[];
  readonly sink: RunSink;
  readonly validation: {
    readonly step: number[];
    readonly fast: (number | null)[];
    readonly slow: (number | null)[];
  };
  /** Null without --timeline. */
  readonly meter: Meter | null;
}

/** The run at a step whose loss was read. */
export interface RunPoint {
  readonly step: number;
  /** Mean cross-entropy of the step's batch before the step. */
  readonly loss: number;
  readonly smoothedLoss: number;
  readonly learningRate: number;
  /** Mean of the steps since the last point, with their syncs. */
  readonly stepMs: number;
  /** What tfjs holds between two steps. */
  readonly deviceBytes: number;
}

/** Follows a run while it goes on: writes files for TensorBoard, say. */
export interface RunSink {
  /** Returns at once: training waits for it. */
  onPoint(point: RunPoint): void;
  /** After `step` steps. */
  onEvaluation(evaluation: EvaluationRecord, step: number): void;
  /** Resolves when everything is written. Called once, also after a run that broke off. Never rejects. */
  close(): Promise<void>;
}

export const NO_SINK: RunSink = { onPoint() {}, onEvaluation() {}, async close() {} };

/** Tells `sink` the points of a run; the time of a step is the mean since the point before. */
export function pointTeller(
  sink: RunSink,
  learningRate: number,
): (state: Readonly<LoopState>, loss: number) => void {
  let before = { steps: 0, ms: 0 };
  return ({ stepsDone: step, smoothedLoss, elapsedMs, deviceBytes }, loss) => {
    const stepMs = (elapsedMs - before.ms) / (step - before.steps);
    before = { steps: step, ms: elapsedMs };
    sink.onPoint({ step, loss, smoothedLoss, learningRate, stepMs, deviceBytes });
  };
}
