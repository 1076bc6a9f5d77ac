// What one training run was and what came of it: the content of run.json, and all that the report shows.

import { Type } from 'typebox';

import {
  amount,
  count,
  type Described,
  list,
  nullable,
  object,
  recordSchema,
  text,
} from '../checks/schema.js';
import { TIMELINE } from '../meter/timeline-data.js';
import { STEP_TIMES } from './step-times.js';

/** Rises when the layout changes in a way that readers must know of. */
export const RUN_RECORD_VERSION = 2;

/** How a record of a run that goes on says that it ended. */
export const RUNNING = 'running';

const loss = (description?: string) => nullable(Type.Number(), description);

const LOSS_POINT = object({
  step: count(),
  loss: loss(
    "Mean cross-entropy of the step's batch before the step; null where it was not finite.",
  ),
});

const EVALUATION = object({
  weights: Type.Enum(['fast', 'slow']),
  loss: loss(),
  accuracy: Type.Number({
    description: 'Share of correct answers, 0 to 1.',
    minimum: 0,
    maximum: 1,
  }),
});

const HOST_MEMORY = object({
  slowBytes: count('All slow weights.'),
  stagingBytes: count('Staging buffers that chunks pass through during a sync.'),
});

const MEMORY = object({
  weightBytes: count('One copy of the trained weights.'),
  deviceBytes: count(
    'The most that tfjs held between two batches: weights, optimizer state, sums of micro-batches. What lives only inside a batch is not included.',
  ),
  host: nullable(HOST_MEMORY, 'Null without Lookahead.'),
  reachedHostBytes: Type.Optional(
    count(
      'Host memory at the end: slow weights and offloaded moments, and the buffers that they pass through. Absent where the engine keeps none.',
    ),
  ),
});

const SYNC = object({
  syncs: count(),
  totalMs: amount(),
  pullMs: amount(),
  blendMs: amount(),
  pushMs: amount(),
  checkMs: amount('Looking for weights that are not finite.'),
  bytesPulled: count(),
  bytesPushed: count(),
  workers: text("Where blends ran: '1 worker', 'inline'."),
});

export const RUN_RECORD = recordSchema(
  {
    name: 'run-record',
    version: RUN_RECORD_VERSION,
    title: 'The record of a training run',
    description:
      'What `slowlane train` writes to run.json, and what `slowlane report` reads. Bytes are whole numbers, times are milliseconds.',
  },
  {
    version: Type.Literal(RUN_RECORD_VERSION),
    tool: Type.Literal('slowlane'),
    toolVersion: text(),
    partial: Type.Boolean({
      description:
        "True while the run goes on, and when it was stopped or failed before its end; 'ended' says how.",
    }),
    ended: text(
      "'done', 'running', or why the run stopped. A run that was killed leaves 'running', without a run.lock of a living process beside it.",
    ),
    startedAt: text('ISO 8601.'),
    command: list(text(), 'Arguments as they were given.'),
    // TypeBox has no type for "any names, but `inner` is one of them".
    options: Type.Unsafe<Record<string, string | number | boolean>>({
      description: 'Every option with its value, defaults included.',
      type: 'object',
      required: ['inner'],
      additionalProperties: { type: ['string', 'number', 'boolean'] },
    }),
    overrides: Type.Optional(
      list(
        object({
          weights: text('A regular expression on names of weights.'),
          slow: Type.Optional(text()),
          slowStepSize: Type.Optional(amount()),
          exclude: Type.Optional(Type.Literal(true)),
          moments: Type.Optional(text()),
        }),
        'Other values for some weights. The first that matches a weight counts. Absent where none were given.',
      ),
    ),
    engine: object({
      name: text(),
      note: text('Why preferred engines were passed over; empty where none was.'),
    }),
    node: text('Version of Node.'),
    platform: object({
      system: text("'linux x64'."),
      cpu: text(),
      cores: count(),
      memoryBytes: count(),
    }),
    seed: Type.Integer(),
    data: object({
      name: text(),
      trainCount: count(),
      testCount: count(),
      testNote: text('Which examples the evaluation used.'),
    }),
    model: object({ name: text(), description: text(), parameters: count() }),
    steps: object({ planned: count(), done: count() }),
    wallMs: object({
      training: amount('The training loop with its syncs.'),
      total: amount('Everything from start to end.'),
    }),
    losses: list(LOSS_POINT),
    evaluations: list(EVALUATION),
    validation: object(
      {
        step: list(count()),
        fast: list(loss()),
        slow: list(loss(), 'Nulls without Lookahead.'),
      },
      'Loss on test data during training, in columns; the last row is that of evaluations.',
    ),
    stepTimes: STEP_TIMES,
    timeline: nullable(TIMELINE),
    memory: MEMORY,
    sync: nullable(SYNC, 'All syncs together; null without Lookahead.'),
  },
);

export type RunRecord = Described<typeof RUN_RECORD>;
export type LossPoint = Described<typeof LOSS_POINT>;
export type EvaluationRecord = Described<typeof EVALUATION>;
export type HostMemory = Described<typeof HOST_MEMORY>;
export type MemoryRecord = Described<typeof MEMORY>;
export type SyncRecord = Described<typeof SYNC>;

/** The text of run.json. */
export function runRecordToJson(record: RunRecord): string {
  return `${JSON.stringify(record, null, 2).replaceAll(COLUMN, withoutSpace)}\n`;
}

/** Numbers and nulls, one per line. A JSON string contains no line break, so this matches no text. */
const COLUMN = /\[\n[-+\d.enul,\s]+\]/gi;

function withoutSpace(text: string): string {
  return text.replaceAll(/\s+/g, '');
}
