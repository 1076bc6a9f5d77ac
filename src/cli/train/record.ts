// Turns a run, finished or broken off, into the record that is written.

import { arch, cpus, platform, totalmem } from 'node:os';
import { RUN_RECORD_VERSION, type RunRecord } from '../../records/run-record.js';
import { countParameters } from '../../models/model.js';
import type { Run } from './run.js';
import type { TrainOptions } from './options.js';

const FLOAT32_BYTES = 4;

/** `ended` is `'done'`, or why the run broke off. */
export function makeRecord(run: Omit<Run, 'sink'>, ended: string): RunRecord {
  const { options, data, model, state } = run;
  const stats = run.trainer.stats();
  const parameters = countParameters(model);
  return {
    version: RUN_RECORD_VERSION,
    tool: 'slowlane',
    toolVersion: run.toolVersion,
    partial: ended !== 'done',
    ended,
    startedAt: run.startedAt.toISOString(),
    command: process.argv.slice(2),
    options: flatOptions(options),
    engine: { name: run.engine.name, note: run.engine.note },
    node: process.version,
    platform: platformHere(),
    seed: options.seed,
    data: {
      name: data.name,
      trainCount: data.trainCount,
      testCount: data.testCount,
      testNote: data.testNote,
    },
    model: { name: options.model, description: model.description, parameters },
    steps: { planned: run.stepsPlanned, done: state.stepsDone },
    wallMs: { training: state.elapsedMs, total: Date.now() - run.startedAt.getTime() },
    losses: state.losses,
    evaluations: run.evaluations,
    validation: run.validation,
    stepTimes: state.clock.columns(),
    timeline: run.meter?.timeline() ?? null,
    memory: {
      weightBytes: FLOAT32_BYTES * parameters,
      deviceBytes: state.peakDeviceBytes,
      host: stats?.host ?? null,
      ...(run.engine.hostBytes === undefined ? {} : { reachedHostBytes: run.engine.hostBytes() }),
    },
    sync: stats?.sync ?? null,
  };
}

/** Every option with its value, in the order of --help and under the names of the command line. */
function flatOptions(options: TrainOptions): RunRecord['options'] {
  const { lookahead, duration } = options;
  return {
    data: options.data,
    ...(options.dataDir === undefined ? {} : { 'data-dir': options.dataDir }),
    model: options.model,
    inner: options.inner,
    'learning-rate': options.learningRate,
    gradients: options.gradients,
    moments: options.moments,
    accumulate: options.accumulate,
    lookahead: lookahead !== undefined,
    ...(lookahead === undefined
      ? {}
      : {
          'sync-period': lookahead.syncPeriod,
          'slow-step-size': lookahead.slowStepSize,
          'inner-state': lookahead.innerState,
          slow: lookahead.slow,
          ...(lookahead.workers === undefined ? {} : { workers: lookahead.workers }),
        }),
    engine: options.engine,
    ...(options.vram === undefined ? {} : { vram: options.vram }),
    [duration.unit]: duration.count,
    'batch-size': options.batchSize,
    seed: options.seed,
    ...(options.validateEvery === undefined ? {} : { 'validate-every': options.validateEvery }),
    ...(options.timeline ? { timeline: true } : {}),
  };
}

export function platformHere(): RunRecord['platform'] {
  return {
    system: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
  };
}
