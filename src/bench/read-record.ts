// Reads the record of a benchmark, by the schema that is published with the package.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { SlowlaneError } from '../errors.js';
import { type JsonSchema, problemOf } from './json-schema.js';
import { type BenchRecord, SCHEMA, SCHEMA_VERSION } from './record.js';

/** Throws DATA where `text` is no record, or one of another version; says what is wrong, and where. */
export function readBenchRecord(text: string): BenchRecord {
  const value = parse(text);
  const { schema, schemaVersion } = (value ?? {}) as Partial<BenchRecord>;
  if (schema !== SCHEMA) {
    throw new SlowlaneError('DATA', `This is no record of a benchmark (schema '${SCHEMA}').`);
  }
  if (schemaVersion !== SCHEMA_VERSION && schemaVersion !== 1) {
    throw new SlowlaneError(
      'DATA',
      `This record has version ${String(schemaVersion)}; this slowlane reads version 1 and ${SCHEMA_VERSION}.`,
    );
  }
  const problem = problemOf(value, readSchema());
  if (problem !== null) {
    const what = schemaVersion === 1 ? 'lacks what version 2 says, or is damaged' : 'is damaged';
    throw new SlowlaneError('DATA', `This record ${what}: ${problem}.`);
  }
  return value as BenchRecord;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SlowlaneError('DATA', 'This is not JSON.', {}, { cause });
  }
}

function readSchema(): JsonSchema {
  const root = dirname(createRequire(import.meta.url).resolve('slowlane/package.json'));
  const file = join(root, 'docs', 'bench-record.schema.json');
  return JSON.parse(readFileSync(file, 'utf8')) as JsonSchema;
}
