// Reads the record of a benchmark, by the schema that is published with the package.

import { SlowlaneError } from '../checks/errors.js';
import { problemOf } from '../records/json-schema.js';
import { publishedSchema } from '../records/published-schema.js';
import { type BenchRecord, SCHEMA, SCHEMA_VERSION } from './record.js';

/** Throws DATA where `text` is no record, or one of another version; says what is wrong, and where. */
export function readBenchRecord(text: string): BenchRecord {
  const value = parse(text);
  const { schema, schemaVersion } = (value ?? {}) as Partial<BenchRecord>;
  if (schema !== SCHEMA) {
    throw new SlowlaneError('DATA', `This is no record of a benchmark (schema '${SCHEMA}').`);
  }
  if (schemaVersion !== SCHEMA_VERSION) {
    throw new SlowlaneError(
      'DATA',
      `This record has version ${String(schemaVersion)}; this slowlane reads version ${SCHEMA_VERSION}.`,
    );
  }
  const problem = problemOf(value, publishedSchema('bench-record'));
  if (problem !== null) throw new SlowlaneError('DATA', `This record is damaged: ${problem}.`);
  return value as BenchRecord;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SlowlaneError('DATA', 'This is not JSON.', {}, { cause });
  }
}
