// A training run and its loop: next batch, step, sometimes the loss. Knows nothing of files or terminals.

import { setImmediate as nextTurn } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import type { Meter } from '../../meter/meter.js';
import type { EvaluationRecord, LossPoint } from '../../records/run-record.js';
import { smoothed } from '../../report/smoothing.js';
import { StepClock } from '../../records/step-times.js';
import { RunError } from '../terminal/cli-error.js';
import { type DataSet, disposeBatch } from '../../models/dataset.js';
import { meanCrossEntropy } from '../../models/cross-entropy.js';
import type { Model } from '../../models/model.js';
import type { Engine } from './engine.js';
import type { TrainOptions } from './options.js';
import type { Trainer } from './trainer.js';

/** At most this many losses are read and kept for the curve. */
const MAX_POINTS = 1000;

/** Filled while the loop runs, so that a run that breaks off keeps what it had. */
export interface LoopState {
  stepsDone: number;
  readonly losses: LossPoint[];
  smoothedLoss: number;
  elapsedMs: number;
  /** The most that tfjs reported between two batches, sums of micro-batches included. */
  peakDeviceBytes: number;
  /** What tfjs reported last. */
  deviceBytes: number;
  readonly clock: StepClock;
}

/** A run so far. Its record can be made at any time. */
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
  readonly validation: {
    readonly step: number[];
    readonly fast: (number | null)[];
    readonly slow: (number | null)[];
  };
  /** Null without --timeline. */
  readonly meter: Meter | null;
}

interface Following {
  readonly signal: AbortSignal;
  /** `loss` is null where it was not read. */
  readonly onStep: (state: Readonly<LoopState>, loss: number | null) => void;
  /** Awaited after each step. Its time does not count as training time. */
  readonly afterStep: (step: number) => Promise<void>;
}

export function newLoopState(): LoopState {
  return {
    stepsDone: 0,
    losses: [],
    smoothedLoss: NaN,
    elapsedMs: 0,
    peakDeviceBytes: 0,
    deviceBytes: 0,
    clock: new StepClock(),
  };
}

/** Takes all steps; throws the signal's reason when it is aborted, a RunError when the loss isn't finite. */
export async function runLoop(run: Run, { signal, onStep, afterStep }: Following): Promise<void> {
  const { data, model, trainer, stepsPlanned: steps, state } = run;
  const { batchSize, accumulate, seed } = run.options;
  const batches = data.batches(batchSize, seed);
  const readEvery = Math.ceil(steps / MAX_POINTS);
  let startedAt = performance.now();
  for (let step = 1; step <= steps; step++) {
    await nextTurn(); // on cpu and wasm only this lets Ctrl-C through
    signal.throwIfAborted();
    const reads = step === 1 || step === steps || step % readEvery === 0;
    let sum = 0;
    run.meter?.beginStep(step);
    const stepStartedAt = performance.now();
    for (let micro = 0; micro < accumulate; micro++) {
      const batch = batches.next().value;
      try {
        const loss = await trainer.step(() => meanCrossEntropy(model, batch), reads);
        if (loss !== null) sum += await valueOf(loss);
      } finally {
        disposeBatch(batch);
        state.elapsedMs = performance.now() - startedAt;
        state.deviceBytes = tf.memory().numBytes;
        state.peakDeviceBytes = Math.max(state.peakDeviceBytes, state.deviceBytes);
      }
    }
    state.stepsDone = step;
    state.clock.add(performance.now() - stepStartedAt, trainer.stats()?.syncTotals);
    if (reads) noteLoss(sum / accumulate, step, state);
    onStep(state, reads ? sum / accumulate : null);
    const pausedAt = performance.now();
    await afterStep(step);
    startedAt += performance.now() - pausedAt;
  }
}

async function valueOf(tensor: tf.Scalar): Promise<number> {
  try {
    return (await tensor.data<'float32'>())[0] ?? NaN;
  } finally {
    tensor.dispose();
  }
}

function noteLoss(loss: number, step: number, state: LoopState): void {
  if (!Number.isFinite(loss)) {
    const last = state.losses.at(-1);
    state.losses.push({ step, loss: null });
    const before =
      last === undefined ? '' : `; it was ${last.loss?.toPrecision(4)} at step ${last.step}`;
    throw new RunError(
      `The loss is ${loss} at step ${step}${before}. Training can't go on from there.`,
      'Try a smaller --learning-rate, or another --inner',
    );
  }
  state.losses.push({ step, loss });
  state.smoothedLoss = smoothed(state.smoothedLoss, loss);
}
