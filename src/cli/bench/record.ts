// The record of a `slowlane bench …`: its schema, and the file that it is written to and read from.

import { resolve } from 'node:path';

import { recordSchema } from '../../checks/schema.js';
import { isRecord, readRecord, type RecordKind } from '../../records/record-kind.js';
import { reasonOf, RunError } from '../terminal/cli-error.js';
import { readText } from '../terminal/given-file.js';
import { checkReplaceable, replaceFile } from '../terminal/own-file.js';
import { FIT_CELL, FIT_OPTIONS } from './fit/record.js';
import { type BenchName, type BenchRecord, FRAME, SCHEMA, SCHEMA_VERSION } from './frame.js';
import { MEMORY_CELL, MEMORY_OPTIONS } from './memory/record.js';
import { SPEED_CELL, SPEED_OPTIONS } from './speed/record.js';
import { SYNC_CELL, SYNC_OPTIONS } from './sync/record.js';

/** Where `options` has `name` with one of `values`, the record is `then`, too. */
const ifOption = (name: string, values: readonly string[], then: object) => ({
  if: {
    required: ['options'],
    properties: { options: { required: [name], properties: { [name]: { enum: values } } } },
  },
  then: { properties: then },
});

const ifBench = (bench: BenchName, then: object) => ({
  if: { required: ['bench'], properties: { bench: { const: bench } } },
  then: { properties: then },
});

const machine = (properties: object) => ({ machine: { properties } });
const WITH_ADAPTER = machine({ adapter: { type: 'object' } });

export const BENCH_RECORD = {
  ...recordSchema(
    {
      name: 'bench-record',
      version: SCHEMA_VERSION,
      title: 'The record of a slowlane bench',
      description:
        'What `slowlane bench … --json FILE` writes. Bytes are whole numbers, times are milliseconds.',
    },
    FRAME,
  ),
  allOf: [
    ifOption(
      'engine',
      ['wasm', 'cpu', 'tensorflow'],
      machine({ adapter: { type: 'null' }, engine: { type: 'string' } }),
    ),
    ifOption('engine', ['webgpu'], WITH_ADAPTER),
    ifBench('fit', { ...WITH_ADAPTER, options: FIT_OPTIONS, cells: { items: FIT_CELL } }),
    ifBench('memory', { options: MEMORY_OPTIONS, cells: { items: MEMORY_CELL } }),
    ifBench('speed', { options: SPEED_OPTIONS, cells: { items: SPEED_CELL } }),
    ifBench('sync', { options: SYNC_OPTIONS, cells: { items: SYNC_CELL } }),
  ],
};

const BENCH: RecordKind = {
  what: `a benchmark (schema '${SCHEMA}')`,
  schema: BENCH_RECORD,
  mark: ['schema', SCHEMA],
  version: ['schemaVersion', SCHEMA_VERSION],
};

/** @throws SlowlaneError DATA if `text` is no record, has another version, or is damaged (with the place). */
export function readBenchRecord(text: string): BenchRecord {
  return readRecord(text, BENCH) as BenchRecord;
}

/** Whether `text` is a record of a benchmark, of any version: such a file may be replaced by a newer one. */
export const isBenchRecord = (text: string): boolean => isRecord(text, BENCH);

export interface BenchFile {
  write(record: BenchRecord): Promise<void>;
}

/** Checks that `path` can be written before anything is measured. */
export async function prepareBenchFile(path: string): Promise<BenchFile> {
  const file = {
    path: resolve(path),
    isOurs: isBenchRecord,
    remedies: {
      taken: 'Move it away, or give another file: --json FILE',
      unwritable: 'Give a file in a folder that exists and that you may write to: --json FILE',
    },
  };
  await checkReplaceable(file);
  return { write: (record) => replaceFile(file, `${JSON.stringify(record, null, 1)}\n`) };
}

/** Throws a RunError if it isn't there or isn't a record. */
export async function readBenchFile(path: string): Promise<BenchRecord> {
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    throw new RunError(`${path} can't be read: ${reasonOf(error)}.`, 'Give a file that exists', {
      cause: error,
    });
  }
  try {
    return readBenchRecord(text);
  } catch (error) {
    throw new RunError(
      `${path}: ${reasonOf(error)}`,
      'Give a file that slowlane bench … --json has written',
      { cause: error },
    );
  }
}
