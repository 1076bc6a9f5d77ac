// Whoever follows a run while it goes on: files for TensorBoard, and what may come beside them.

import type { EvaluationRecord } from '../../records/run-record.js';
import type { LoopState } from './loop.js';

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

export interface RunSink {
  /** Returns at once: training waits for it. */
  onPoint(point: RunPoint): void;
  /** After `step` steps. */
  onEvaluation(evaluation: EvaluationRecord, step: number): void;
  /** Resolves when all that it was told is where it belongs; called once, also where the run broke off. Never rejects. */
  close(): Promise<void>;
}

export function allOf(sinks: readonly RunSink[]): RunSink {
  return {
    onPoint: (point) => sinks.forEach((sink) => sink.onPoint(point)),
    onEvaluation: (evaluation, step) =>
      sinks.forEach((sink) => sink.onEvaluation(evaluation, step)),
    close: async () => {
      await Promise.all(sinks.map((sink) => sink.close()));
    },
  };
}

/** Tells the sink of a run its points; knows when the one before was. */
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
