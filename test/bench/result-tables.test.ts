// Tables of committed results, in README and docs.

import { readFileSync } from 'node:fs';
import { describe, test } from 'vitest';

import { formatBytes } from '#src/memory/quantities.js';
import type { FitRecord } from '#src/bench/fit/fit-record.js';
import type { MemoryRecord } from '#src/bench/memory/memory-record.js';
import { type BenchPolicy, policyNamed } from '#src/bench/policies.js';
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

describe('what 16 layers take', () => {
  const text = readFileSync(entry('bench/results/memory-software-webgpu.json'), 'utf8');
  const { cells, options } = readBenchRecord(text) as MemoryRecord;
  const { layers, width, batch } = options as typeof options & { layers: number; width: number };

  test.each([
    ['README.md', ['device:f32', 'device:q8', 'host:q8']],
    ['docs/api.md', ['device:f32', 'device:q8', 'host:f32', 'host:q8']],
  ] as const)('a parameter, in %s', (page, moments) => {
    const policies = [
      'tfjs-adam-lookahead',
      'keep+device:f32',
      ...moments.map((one) => `release+${one}`),
    ];
    const rows = policies.map((name) => {
      const cell = cells.find(({ policy }) => policy === name);
      const hostBytes = (cell?.hostBytes ?? NaN) / (cell?.parameters ?? NaN);
      return [
        calledFor(policyNamed(name)),
        cell?.allocatorBytesPerParameter?.toFixed(1),
        hostBytes === 0 ? '–' : hostBytes.toFixed(1),
      ];
    });
    const what = `peak, ${layers} dense layers of ${width}×${width}, batch ${batch}, Adam and Lookahead`;
    const head = [what, 'device bytes per parameter', 'host bytes per parameter'];
    expectTable(page, 'parameter', tableOf(head, rows));
  });

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
    const parameters = (layers * width * width).toLocaleString('en');
    const size = `${layers} layers of ${width} × ${width} (${parameters} parameters), batch ${batch}, in MiB:`;
    expectTable('docs/benchmarks.md', 'memory', `${size}\n\n${tableOf(head, rows)}`);
  });

  test('for each purpose', () => {
    const rows = cells.flatMap(({ policy, highest }) =>
      highest === null ? [] : [[policy, ...CATEGORIES.map((name) => mebibytes(highest[name]))]],
    );
    expectTable('docs/benchmarks.md', 'purposes', tableOf(['policy', ...CATEGORIES], rows));
  });
});

/** As a program has it; what is the default is left out. */
function calledFor({ ours }: BenchPolicy): string {
  if (ours === null) return "`tf.train.adam`, slow weights on the device, tfjs's own backend";
  const given = Object.entries({
    gradients: ours.gradients === 'keep' ? null : ours.gradients,
    moments: ours.moments === 'device:f32' ? null : ours.moments,
  }).flatMap(([name, value]) => (value === null ? [] : [`${name}: '${value}'`]));
  return `\`lookahead(adam(${given.length === 0 ? '' : `{ ${given.join(', ')} }`}))\``;
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
