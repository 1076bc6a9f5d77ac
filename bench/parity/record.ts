// What bench/moments-parity.ts writes.

import { Type } from 'typebox';

import {
  amount,
  type Described,
  list,
  nullable,
  object,
  recordSchema,
  text,
} from '../../src/checks/schema.js';
import { positive } from '../../src/measure/record-parts.js';
import { problemOf } from '../../src/records/record-kind.js';

/** What is demanded of every seed and of the mean. */
export const DEMANDED = { within: 0.01, correlation: 0.999 } as const;

const MACHINE = object({
  cpu: text(),
  node: text(),
  tfjs: text(),
  backend: Type.Literal('wasm'),
  commit: nullable(text(), 'Of the working tree, with -dirty if it had changes; null if unknown.'),
  startedAt: text('ISO 8601.'),
});
export type Machine = Described<typeof MACHINE>;

const CONDITION = object(
  {
    name: text(),
    data: Type.Enum(['mnist', 'moby-dick']),
    steps: positive(),
    batchSize: positive(),
    learningRate: amount('The first one.'),
    anneals: Type.Boolean({ description: 'Half a cosine down to 0; else constant.' }),
    lookahead: Type.Boolean(),
  },
  'What was trained, with Adam.',
);
export type Condition = Described<typeof CONDITION>;

const bySeed = (description?: string) =>
  object({ f32: list(amount()), control: list(amount()), q8: list(amount()) }, description);

const correlation = (description?: string) =>
  Type.Number({ ...(description === undefined ? {} : { description }), minimum: -1, maximum: 1 });

const comparison = (description?: string) =>
  object(
    {
      ratios: list(amount(), 'Test loss over that of float32.'),
      mean: amount(),
      standardError: amount('Of the mean: deviation of the ratios over the root of their number.'),
      farthest: amount('The largest |ratio − 1|.'),
      correlations: object(
        { raw: correlation(), smoothed: correlation(), rawSecondHalf: correlation() },
        'Of the curves of training losses, the smallest of all seeds. Whole curves correlate easily: their beginning is steep.',
      ),
    },
    description,
  );
export type Comparison = Described<ReturnType<typeof comparison>>;

const JUDGED = object(
  {
    machine: MACHINE,
    condition: CONDITION,
    testLosses: bySeed('Over all test examples.'),
    testAccuracies: bySeed(),
    seconds: bySeed('Of each training; they say nothing where other work ran beside it.'),
    control: comparison('float32 moments, initial weights disturbed by one part in a million.'),
    q8: comparison(),
    fulfilled: Type.Boolean({ description: 'Whether q8 keeps what is demanded.' }),
  },
  'One condition.',
);
export type Judged = Described<typeof JUDGED>;

export const PARITY_RECORD = recordSchema(
  {
    name: 'parity-record',
    version: 1,
    title: 'The record of the parity of 8-bit moments',
    description:
      'What `npm run bench:parity` writes: trainings with 8-bit moments against the same ones with float32 moments. Lists are by seed.',
  },
  {
    schema: Type.Literal('slowlane-parity'),
    schemaVersion: Type.Literal(1),
    demanded: object(
      {
        within: amount(
          'The most that a test loss may differ from that of float32, as a share of it.',
        ),
        correlation: correlation('The least that curves must correlate.'),
      },
      'Of every seed.',
    ),
    judged: list(JUDGED),
  },
);
export type ParityRecord = Described<typeof PARITY_RECORD>;

/** Throws if `text` is no record of this benchmark, of this version. */
export function readParityRecord(text: string): ParityRecord {
  const value: unknown = JSON.parse(text);
  const problem = problemOf(value, PARITY_RECORD);
  if (problem !== null) throw new Error(`This is no record of this benchmark: ${problem}.`);
  return value as ParityRecord;
}

/** `before` with `found` for what it has of that condition. */
export function withCondition(before: ParityRecord | null, found: Judged): ParityRecord {
  const others = (before?.judged ?? []).filter(
    ({ condition }) => condition.name !== found.condition.name,
  );
  return {
    schema: 'slowlane-parity',
    schemaVersion: 1,
    demanded: DEMANDED,
    judged: [...others, found],
  };
}
