// Records of benchmarks: what is read, and what is refused.

import { describe, expect, test } from 'vitest';

import { readBenchRecord, isBenchRecord } from '#src/cli/bench/record.js';

import {
  FIT_CELL,
  FIT_RECORD,
  MEMORY_CELL,
  MEMORY_RECORD,
  SPEED_RECORD,
  SYNC_CELL,
  SYNC_RECORD,
  WASM_MACHINE,
  WASM_RECORD,
} from './records.js';

const read = (record: unknown) => readBenchRecord(JSON.stringify(record));

test('a record comes back as it was', () => {
  expect(read(FIT_RECORD)).toEqual(FIT_RECORD);
  expect(read(MEMORY_RECORD)).toEqual(MEMORY_RECORD);
  expect(read(SPEED_RECORD)).toEqual(SPEED_RECORD);
  expect(read(SYNC_RECORD)).toEqual(SYNC_RECORD);
  expect(read(WASM_RECORD)).toEqual(WASM_RECORD);
  expect(isBenchRecord(JSON.stringify(FIT_RECORD))).toBe(true);
});

describe('what is refused says where it is wrong', () => {
  test.each<[problem: string, record: unknown]>([
    ['This is no record of a benchmark', { tool: 'slowlane' }],
    ['This is no record of a benchmark', null],
    ['version 2; this slowlane reads version 1', { ...FIT_RECORD, schemaVersion: 2 }],
    ["the record has no 'cells'", { ...FIT_RECORD, cells: undefined }],
    ["the record has 'extra', which is not known", { ...FIT_RECORD, extra: 1 }],
    [
      'bench must be "fit" or "memory" or "speed" or "sync", got ',
      { ...FIT_RECORD, bench: 'slow' },
    ],
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
    [
      "machine has no 'engine'",
      { ...FIT_RECORD, machine: { ...FIT_RECORD.machine, engine: undefined } },
    ],
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
    [
      'cells[0].slow must be "host:f32" or ',
      { ...SYNC_RECORD, cells: [{ ...SYNC_CELL, slow: 'host:q8' }] },
    ],
  ])('%s', (problem, record) => {
    expect(() => read(record)).toThrow(problem);
  });

  test('what is no JSON', () => {
    expect(() => readBenchRecord('{')).toThrow('It is not JSON.');
    expect(isBenchRecord('{')).toBe(false);
  });
});
