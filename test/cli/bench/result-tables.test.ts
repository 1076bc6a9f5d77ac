// Tables of committed results, in README and docs.

import { readFileSync } from 'node:fs';
import { describe, test } from 'vitest';

import { formatBytes } from '#src/checks/quantities.js';
import type { FitRecord } from '#src/cli/bench/fit/record.js';
import type { MemoryRecord } from '#src/cli/bench/memory/record.js';
import { type BenchPolicy, policyNamed } from '#src/measure/workloads/policies.js';
import { readBenchRecord } from '#src/cli/bench/record.js';
import { workloadOf } from '#src/cli/bench/sheet.js';
import { CATEGORIES } from '#src/engine/categories.js';

import { entry } from '../../built.js';
import { expectTable, markdownTable } from '../../marked-table.js';

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
    markdownTable([['policy', 'layers', 'parameters', 'peak', 'bytes per parameter'], ...rows], {
      numbersFrom: 1,
    }),
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
  const record = memoryRecord(file);
  const { cells } = record;

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
    const table = `${workloadOf(record)}, in MiB:\n\n${markdownTable([head, ...rows], { numbersFrom: 1 })}`;
    expectTable('docs/benchmarks.md', meters, table);
  });

  test('for each purpose', () => {
    const rows = cells.flatMap(({ policy, highest }) =>
      highest === null ? [] : [[policy, ...CATEGORIES.map((name) => mebibytes(highest[name]))]],
    );
    expectTable(
      'docs/benchmarks.md',
      purposes,
      markdownTable([['policy', ...CATEGORIES], ...rows], { numbersFrom: 1 }),
    );
  });
});

/** Bytes a parameter of the policies called `names`, as a program has them. */
function byParameter(record: MemoryRecord, names: readonly string[]): string {
  const { layers, width, batch } = record.options;
  const rows = names.map((name) => {
    const cell = record.cells.find(({ policy }) => policy === name);
    const hostBytes = (cell?.hostBytes ?? NaN) / (cell?.parameters ?? NaN);
    const device = cell?.allocatorBytesPerParameter ?? cell?.logicalBytesPerParameter;
    return [
      calledFor(policyNamed(name)),
      device?.toFixed(1),
      hostBytes === 0 ? '–' : hostBytes.toFixed(1),
    ];
  });
  const what = `peak, ${layers} dense layers of ${width}×${width}, batch ${batch}, Adam`;
  return markdownTable(
    [[what, 'device bytes per parameter', 'host bytes per parameter'], ...rows],
    { numbersFrom: 1 },
  );
}

test.each([
  ['README.md', ['device:f32', 'device:q8', 'host:q8']],
  ['docs/benchmarks.md', ['device:f32', 'device:q8', 'host:f32', 'host:q8']],
] as const)('what 16 layers take a parameter, in %s', (page, moments) => {
  const ours = moments.map((one) => `release+${one}`);
  const names = ['tfjs-adam-lookahead', 'keep+device:f32', ...ours];
  expectTable(page, 'parameter', byParameter(memoryRecord('memory-software-webgpu'), names));
});

test('what 8 layers take a parameter on the cpu backend', () => {
  const record = memoryRecord('memory-cpu');
  const names = record.cells.map(({ policy }) => policy);
  expectTable('docs/benchmarks.md', 'parameter-cpu', byParameter(record, names));
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
  expectTable(
    'docs/benchmarks.md',
    'memory-wasm',
    markdownTable([head, ...rows], { numbersFrom: 1 }),
  );
});

/** As a program has it; what is the default is left out. */
function calledFor({ ours, slow }: BenchPolicy): string {
  const onDevice = slow === 'variables' ? ', Lookahead with slow weights on the device' : '';
  if (ours === null) return `\`tf.train.adam\`${onDevice}`;
  const given = Object.entries({
    gradients: ours.gradients === 'keep' ? null : ours.gradients,
    moments: ours.moments === 'device:f32' ? null : ours.moments,
  }).flatMap(([name, value]) => (value === null ? [] : [`${name}: '${value}'`]));
  const inner = `adam(${given.length === 0 ? '' : `{ ${given.join(', ')} }`})`;
  return slow === 'host' ? `\`lookahead(${inner})\`` : `\`${inner}\`${onDevice}`;
}

function memoryRecord(name: string): MemoryRecord {
  return readBenchRecord(readFileSync(entry(`bench/results/${name}.json`), 'utf8')) as MemoryRecord;
}

function mebibytes(bytes: number | null): string {
  const value = (bytes ?? NaN) / 2 ** 20;
  return value.toFixed(value < 100 ? 2 : 0);
}
