// The published schemas of records: they claim every committed result, demand every name that a record has.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { problemOf } from '#src/records/record-kind.js';
import { readRunRecord } from '#src/records/read-record.js';

import {
  FIT_RECORD,
  MEMORY_RECORD,
  SPEED_RECORD,
  SYNC_RECORD,
  WASM_RECORD,
} from '../cli/bench/records.js';
import { entry } from '../built.js';
import { timedRun } from '../report/timelines.js';

type Names = Readonly<Record<string, unknown>>;

const RESULTS = entry('bench/results');
const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Names;
const SCHEMAS: readonly Names[] = readdirSync(entry('docs'))
  .filter((name) => name.endsWith('.schema.json'))
  .map((name) => read(entry(`docs/${name}`)));
const files = readdirSync(RESULTS).filter((name) => name.endsWith('.json'));

/** The schema that fits what `record` says of itself: the names at its top whose value is fixed. */
function schemaOf(record: Names): Names {
  const claiming = SCHEMAS.filter(({ properties }) =>
    Object.entries(properties as Readonly<Record<string, Names>>).every(
      ([name, part]) => !('const' in part) || record[name] === part['const'],
    ),
  );
  expect(
    claiming.map(({ $id }) => $id),
    'schemas that claim the record',
  ).toHaveLength(1);
  return claiming[0] as Names;
}

describe('committed results', () => {
  test.each(files)('%s is what its schema says, and whole', (file) => {
    const record = read(`${RESULTS}/${file}`);
    expect(problemOf(record, schemaOf(record))).toBeNull();
    expect(record['partial'] ?? record['isPartial'] ?? false).toBe(false);
    if (record['tool'] !== undefined) readRunRecord(JSON.stringify(record)); // columns of one length
  });

  test('one that no schema claims is an error', () => {
    expect(() => schemaOf({ bytes: 1 })).toThrow('schemas that claim the record');
    expect(() => schemaOf({ ...FIT_RECORD, schemaVersion: 2 })).toThrow('schemas that claim');
  });

  test('are of every schema, which has its version in its name', () => {
    const claimed = files.map((file) => schemaOf(read(`${RESULTS}/${file}`)));
    for (const schema of SCHEMAS) {
      expect(claimed).toContain(schema);
      const { version, schemaVersion = version } = schema['properties'] as Record<string, Names>;
      expect(schema['$id']).toMatch(
        new RegExp(`^urn:slowlane:.*:${String(schemaVersion?.['const'])}$`),
      );
    }
  });
});

/** What a run record leaves out where there is none; null elsewhere, so that nothing is left out here. */
const run = timedRun(3, 2 ** 30);
const FULL_RUN = {
  ...run,
  losses: run.losses.slice(0, 1),
  memory: { ...run.memory, reachedHostBytes: 1 },
  timeline: { ...run.timeline, last: run.timeline?.first },
};

test.each<[name: string, record: object]>([
  ['fit', FIT_RECORD],
  ['memory', MEMORY_RECORD],
  ['speed', SPEED_RECORD],
  ['sync', SYNC_RECORD],
  ['memory without WebGPU', WASM_RECORD],
  ['training', FULL_RUN],
  ['parity', read(`${RESULTS}/moments-parity.json`)],
  ['a GPU', read(`${RESULTS}/gpu-software-webgpu.json`)],
])('each name that the record of %s has is demanded by the schema', (_, record) => {
  const schema = schemaOf(record as Names);
  expect(problemOf(record, schema)).toBeNull();
  const paths = pathsOf(record).filter((path) => typeof path.at(-1) === 'string');
  expect(paths.length).toBeGreaterThan(50);
  for (const path of paths.filter((one) => !isFree(one))) {
    expect(problemOf(without(record, path), schema)).toContain(`has no '${path.at(-1)}'`);
  }
});

/** Names of nvidia-smi, phases that were sampled, options of a training; and what may be left out. */
function isFree(path: readonly (string | number)[]): boolean {
  const [first, second = ''] = path;
  const inside = path.slice(0, -1);
  return (
    inside.includes('nvidia') ||
    inside.includes('byPhase') ||
    (first === 'options' && second in run.options) ||
    path.at(-1) === 'reachedHostBytes'
  );
}

test('a word that JSON Schema does not know is an error of the schema', () => {
  expect(() => problemOf('a', { patern: 'b' })).toThrow('patern');
});

function without(value: unknown, path: readonly (string | number)[]): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return undefined;
  if (Array.isArray(value))
    return value.map((part, i) => (i === first ? without(part, rest) : part));
  const { [first]: part, ...others } = value as Record<string, unknown>;
  return rest.length === 0 ? others : { ...others, [first]: without(part, rest) };
}

/** Of every value in `value`, but for its own. */
function pathsOf(value: unknown): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [];
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return entries.flatMap(([key, part]) => [[key], ...pathsOf(part).map((rest) => [key, ...rest])]);
}
