// Tables of committed results, in the docs.

import { readFileSync } from 'node:fs';
import { describe, test } from 'vitest';

import { formatBytes } from '#src/memory/quantities.js';
import type { FitRecord } from '#src/bench/fit/fit-record.js';
import type { MemoryRecord } from '#src/bench/memory/memory-record.js';
import { readBenchRecord } from '#src/bench/read-record.js';
import { CATEGORIES } from '#src/device/meter/categories.js';

import { entry } from '../built.js';
import { expectTable } from '../marked-table.js';

test('what fits in 64 MiB', () => {
  const text = readFileSync(entry('bench/results/fit-64MiB-software-webgpu.json'), 'utf8');
  const record = readBenchRecord(text) as FitRecord;
  const rows = record.cells.map(({ policy, layers, parameters, peakBytes, bytesPerParameter }) => [
    policy,
    `${layers}`,
    parameters?.toLocaleString('en'),
    formatBytes(peakBytes ?? NaN),
    bytesPerParameter?.toFixed(2),
  ]);
  expectTable(
    'docs/benchmarks.md',
    'fit',
    tableOf(['policy', 'layers', 'parameters', 'peak', 'bytes per parameter'], rows),
  );
});

describe.each([
  ['16 layers', 'memory-software-webgpu', 'memory', 'purposes'],
  [
    'a transformer',
    'memory-transformer-software-webgpu',
    'memory-transformer',
    'purposes-transformer',
  ],
])('what %s take on software WebGPU', (_, file, meters, purposes) => {
  const { cells } = memoryRecord(file);

  test('by each meter', () => {
    const rows = cells.map((cell) => [
      cell.policy,
      cell.allocatorBytesPerParameter?.toFixed(2),
      mebibytes(cell.allocatorBytes),
      mebibytes(cell.logicalBytes),
      cell.driver.peakBytes === null ? 'unknown' : mebibytes(cell.driver.peakBytes),
      mebibytes(cell.hostBytes),
      mebibytes(cell.peakRssBytes),
    ]);
    const head = ['policy', 'bytes per parameter', 'allocator', 'logical', 'driver', 'host', 'RSS'];
    expectTable('docs/benchmarks.md', meters, tableOf(head, rows));
  });

  test('for each purpose', () => {
    const rows = cells.flatMap(({ policy, highest }) =>
      highest === null ? [] : [[policy, ...CATEGORIES.map((name) => mebibytes(highest[name]))]],
    );
    expectTable('docs/benchmarks.md', purposes, tableOf(['policy', ...CATEGORIES], rows));
  });
});

test('what 16 layers take on wasm, by the logical count', () => {
  const rows = memoryRecord('memory-wasm').cells.map((cell) => [
    cell.policy,
    cell.logicalBytesPerParameter?.toFixed(2),
    mebibytes(cell.logicalBytes),
    mebibytes(cell.hostBytes),
    mebibytes(cell.peakRssBytes),
  ]);
  const head = ['policy', 'logical bytes per parameter', 'logical', 'host', 'RSS'];
  expectTable('docs/benchmarks.md', 'memory-wasm', tableOf(head, rows));
});

function memoryRecord(name: string): MemoryRecord {
  return readBenchRecord(readFileSync(entry(`bench/results/${name}.json`), 'utf8')) as MemoryRecord;
}

function mebibytes(bytes: number | null): string {
  const value = (bytes ?? NaN) / 2 ** 20;
  return value.toFixed(value < 100 ? 2 : 0);
}

/** As the formatter of the repository writes it: numbers to the right. */
function tableOf(
  head: readonly string[],
  rows: readonly (readonly (string | undefined)[])[],
): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly (string | undefined)[]) =>
    `| ${row.map((cell = '', i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, i) =>
    i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
