// What bench/gpu.ts writes.

import { Type } from 'typebox';

import {
  type Described,
  list,
  nullable,
  object,
  recordSchema,
  text,
} from '../../src/checks/schema.js';
import type { FitRecord } from '../../src/cli/bench/fit/record.js';
import type { BenchName, BenchRecord } from '../../src/cli/bench/frame.js';
import type { MemoryRecord } from '../../src/cli/bench/memory/record.js';
import { BENCH_RECORD } from '../../src/cli/bench/record.js';
import type { SpeedRecord } from '../../src/cli/bench/speed/record.js';
import type { SyncRecord } from '../../src/cli/bench/sync/record.js';

const VERDICT = object({
  question: text(),
  answer: Type.Enum(['yes', 'no', 'unknown']),
  numbers: text('What the answer is made of.'),
});
export type Verdict = Described<typeof VERDICT>;

/** Null if that benchmark left no record. */
const recordOf = <R extends BenchRecord>(bench: BenchName) =>
  Type.Unsafe<R | null>({
    allOf: [{ $ref: '#/$defs/bench' }, { properties: { bench: { const: bench } } }],
  });

const { $id, ...BENCH } = BENCH_RECORD;

export const GPU_RECORD = {
  ...recordSchema(
    {
      name: 'gpu-record',
      version: 1,
      title: 'The record of a GPU',
      description:
        'What `npm run bench:gpu` writes: records of slowlane bench, and verdicts on them. Their commands leave out --json.',
    },
    {
      schema: Type.Literal('slowlane-gpu'),
      schemaVersion: Type.Literal(1),
      startedAt: text('ISO 8601.'),
      endedAt: text('ISO 8601.'),
      commit: nullable(text(), 'What was measured; null if unknown.'),
      verdicts: list(VERDICT),
      records: object({
        memory: recordOf<MemoryRecord>('memory'),
        speed: recordOf<SpeedRecord>('speed'),
        sync: recordOf<SyncRecord>('sync'),
        fit: recordOf<FitRecord>('fit'),
      }),
    },
  ),
  $defs: { bench: nullable(BENCH, `${$id}, or null if the benchmark left none.`) },
};
export type GpuRecord = Described<typeof GPU_RECORD>;
/** What is judged. */
export type Records = Pick<GpuRecord['records'], 'memory' | 'speed' | 'sync'>;
