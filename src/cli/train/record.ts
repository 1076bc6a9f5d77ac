// The record of a run, finished or not.

import { arch, cpus, platform, totalmem } from 'node:os';
import { RUN_RECORD_VERSION, type RunRecord } from '../../records/run-record.js';
import { countParameters } from '../../models/model.js';
import type { Run } from './loop.js';
import { LOOKAHEAD_ONLY } from './checks.js';
import { TRAIN_OPTIONS } from './command.js';
import type { TrainOptions } from './options.js';

const FLOAT32_BYTES = 4;

/** `ended` is `'done'`, RUNNING, or why the run broke off. */
export function makeRecord(run: Run, ended: string): RunRecord {
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
    options: recordedOptions(options),
    ...(options.override.length > 0 ? { overrides: [...options.override] } : {}),
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

/** They say where results go, not how the training runs. */
const UNRECORDED: readonly string[] = ['out', 'tensorboard', 'live'];

/** Every option that has a value, under its name on the command line. */
function recordedOptions(options: TrainOptions): RunRecord['options'] {
  const values = Object.entries(options);
  const without = options.lookahead ? UNRECORDED : [...UNRECORDED, ...LOOKAHEAD_ONLY];
  const recorded = TRAIN_OPTIONS.flatMap((option): [string, string | number | boolean][] => {
    const name = option.attributeName();
    const value: unknown = values.find(([key]) => key === name)?.[1];
    if (without.includes(name) || !isScalar(value)) return [];
    return [[option.name().replace(/^no-/, ''), value]];
  });
  return Object.fromEntries(recorded);
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

function platformHere(): RunRecord['platform'] {
  return {
    system: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
  };
}
