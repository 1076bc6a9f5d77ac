// One training run while it goes on.

import type { Meter } from '../../meter/meter.js';
import type { EvaluationRecord } from '../../records/run-record.js';
import type { DataSet } from '../../models/dataset.js';
import type { Engine } from './engine.js';
import type { Model } from '../../models/model.js';
import type { RunSink } from './run-sink.js';
import type { TrainOptions } from './options.js';
import type { Trainer } from './trainer.js';
import type { LoopState } from './loop.js';

/** A run as far as it has come: what the record is made of at any time. */
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
