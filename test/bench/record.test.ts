// Records of benchmarks: what is read, what is refused, and that the published schema is what is checked.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { type JsonSchema, problemOf } from '#src/bench/json-schema.js';
import { readBenchRecord } from '#src/bench/read-record.js';
import { isBenchRecord } from '#src/bench/record.js';

import { entry } from '../built.js';
import {
  FIT_CELL,
  FIT_RECORD,
  MEMORY_CELL,
  MEMORY_RECORD,
  SPEED_RECORD,
  WASM_MACHINE,
  WASM_RECORD,
} from './records.js';

const { engine: _, model: __, ...OLD_OPTIONS } = MEMORY_RECORD.options;
const OLD_MEMORY_RECORD = { ...MEMORY_RECORD, schemaVersion: 1, options: OLD_OPTIONS };

const read = (record: unknown) => readBenchRecord(JSON.stringify(record));

test('a record comes back as it was', () => {
  expect(read(FIT_RECORD)).toEqual(FIT_RECORD);
  expect(read(MEMORY_RECORD)).toEqual(MEMORY_RECORD);
  expect(read(SPEED_RECORD)).toEqual(SPEED_RECORD);
  expect(read(WASM_RECORD)).toEqual(WASM_RECORD);
  expect(isBenchRecord(JSON.stringify(FIT_RECORD))).toBe(true);
});

test('a record of version 1 of fit, which was on WebGPU, has no machine.engine', () => {
  const { engine: _, ...machine } = FIT_RECORD.machine;
  const old = { ...FIT_RECORD, schemaVersion: 1, machine };
  expect(read(old)).toEqual(old);
  expect(() => read({ ...old, schemaVersion: 2 })).toThrow("machine has no 'engine'");
});

describe('what is refused says where it is wrong', () => {
  test.each<[problem: string, record: unknown]>([
    ['This is no record of a benchmark', { tool: 'slowlane' }],
    ['This is no record of a benchmark', null],
    ['version 3; this slowlane reads version 1 and 2', { ...FIT_RECORD, schemaVersion: 3 }],
    ["the record has no 'cells'", { ...FIT_RECORD, cells: undefined }],
    ["the record has 'extra', which is not known", { ...FIT_RECORD, extra: 1 }],
    ['bench must be "fit" or "memory" or "speed", got ', { ...FIT_RECORD, bench: 'slow' }],
    ['isPartial must be boolean', { ...FIT_RECORD, isPartial: 'no' }],
    ['command[0] must be string', { ...FIT_RECORD, command: [1] }],
    ["machine has no 'adapter'", { ...FIT_RECORD, machine: {} }],
    ['cells[0].layers must be integer', { ...FIT_RECORD, cells: [{ ...FIT_CELL, layers: 1.5 }] }],
    ['cells[0].layers must be at least 0', { ...FIT_RECORD, cells: [{ ...FIT_CELL, layers: -1 }] }],
    [
      'cells[0].status must be "done" or "failed" or "stopped"',
      { ...FIT_RECORD, cells: [{ ...FIT_CELL, status: 'ok' }] },
    ],
    ["options has no 'vramBytes'", { ...FIT_RECORD, options: {} }],
    ["options has no 'engine'", { ...MEMORY_RECORD, options: {} }],
    [
      "options has 'vramBytes', which is not known",
      { ...MEMORY_RECORD, options: { ...MEMORY_RECORD.options, vramBytes: 1 } },
    ],
    ["lacks what version 2 says, or is damaged: options has no 'engine'", OLD_MEMORY_RECORD],
    ['machine.adapter must be object, got null', { ...FIT_RECORD, machine: WASM_MACHINE }],
    ['machine.adapter must be object, got null', { ...MEMORY_RECORD, machine: WASM_MACHINE }],
    ['machine.adapter must be null', { ...WASM_RECORD, machine: MEMORY_RECORD.machine }],
    [
      'machine.engine must be string, got null',
      { ...WASM_RECORD, machine: { ...WASM_MACHINE, engine: null } },
    ],
    [
      'cells[0].atPeak must be object or null',
      { ...MEMORY_RECORD, cells: [{ ...MEMORY_CELL, atPeak: 7 }] },
    ],
    [
      "cells[0].highest has no 'weights'",
      { ...MEMORY_RECORD, cells: [{ ...MEMORY_CELL, highest: {} }] },
    ],
  ])('%s', (problem, record) => {
    expect(() => read(record)).toThrow(problem);
  });

  test('what is no JSON', () => {
    expect(() => readBenchRecord('{')).toThrow('This is not JSON.');
    expect(isBenchRecord('{')).toBe(false);
  });
});

test.each([
  ['fit', FIT_RECORD],
  ['memory', MEMORY_RECORD],
  ['speed', SPEED_RECORD],
  ['memory without WebGPU', WASM_RECORD],
])('each name that the record of %s has is demanded by the schema', (_, record) => {
  const without = (value: unknown, path: readonly (string | number)[]): unknown => {
    const [first, ...rest] = path;
    if (first === undefined) return undefined;
    if (Array.isArray(value))
      return value.map((one, i) => (i === first ? without(one, rest) : one));
    return {
      ...(value as object),
      [first]: without((value as Record<string, unknown>)[first], rest),
    };
  };
  const paths = pathsOf(record).filter((path) => typeof path.at(-1) === 'string');
  expect(paths.length).toBeGreaterThan(50);
  for (const path of paths) {
    if (path.includes('nvidia') && path.at(-1) !== 'nvidia') continue; // names of nvidia-smi
    if (path.includes('byPhase') && path.at(-1) !== 'byPhase') continue; // phases that were sampled
    const shorter = without(record, path);
    expect(() => read(shorter)).toThrow(
      path.length > 1 ? `has no '${path.at(-1)}'` : /has no|no record|version undefined/,
    );
  }
});

test('results that are committed can be read', () => {
  const folder = entry('bench/results');
  const files = readdirSync(folder).filter((name) => /^(fit|memory|speed)-.*\.json$/.test(name));
  expect(files).not.toEqual([]);
  for (const file of files) {
    expect(readBenchRecord(readFileSync(`${folder}/${file}`, 'utf8')).isPartial).toBe(false);
  }
});

describe('the part of JSON Schema that is used', () => {
  test.each<[schema: JsonSchema, right: unknown, wrong: unknown]>([
    [{ type: 'integer' }, 3, 3.5],
    [{ type: ['number', 'null'] }, null, '3'],
    [{ type: 'number', minimum: 0, maximum: 2 }, 2, 2.5],
    [{ const: 'a' }, 'a', 'b'],
    [{ enum: [1, 2] }, 2, 3],
    [{ type: 'array', items: { type: 'string' } }, ['a'], ['a', 1]],
    [{ additionalProperties: { type: 'string' } }, { a: 'b' }, { a: 1 }],
    [{ $ref: '#/$defs/one', $defs: { one: { const: 1 } } }, 1, 2],
    [{ if: { const: 1 }, then: { const: 2 } }, 3, 1],
    [{ allOf: [{ minimum: 1 }, { maximum: 2 }] }, 1, 3],
  ])('%j', (schema, right, wrong) => {
    expect(problemOf(right, schema)).toBeNull();
    expect(problemOf(wrong, schema)).not.toBeNull();
  });

  test('a word that nobody checks is an error of the schema', () => {
    expect(() => problemOf('a', { pattern: 'b' })).toThrow("'pattern' is not understood");
  });
});

/** Of every value in `value`, but for its own. */
function pathsOf(value: unknown): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [];
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return entries.flatMap(([key, part]) => [[key], ...pathsOf(part).map((rest) => [key, ...rest])]);
}
