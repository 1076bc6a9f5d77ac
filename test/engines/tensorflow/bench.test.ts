// The benchmarks on the engine: one short cell.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import type { MemoryRecord } from '#src/cli/bench/memory/record.js';
import { readBenchRecord } from '#src/cli/bench/record.js';

import { slowlane, temporaryFolder } from '../../cli/run-cli.js';

test('bench memory --engine tensorflow: a CNN, which wasm cannot train', async () => {
  const file = join(temporaryFolder(), 'memory.json');
  const args = `bench memory --engine tensorflow --model cnn --batch 2 --steps 2 --sync-period 2 --json ${file}`;
  const policies = ['--policy', 'tfjs-adam', '--policy', 'release+device:f32'];
  const { code, stdout } = await slowlane([...args.split(' '), ...policies]);
  expect(code).toBe(0);
  expect(stdout).toContain('not available on tensorflow');
  const { machine, cells } = readBenchRecord(readFileSync(file, 'utf8')) as MemoryRecord;
  expect(machine.adapter).toBeNull();
  expect(machine.engine).toMatch(/^TensorFlow \S+ on the CPU \(@tensorflow\/tfjs-node\)$/);
  const [tfjs, ours] = cells;
  for (const cell of cells) expect(cell).toMatchObject({ status: 'done', allocatorBytes: null });
  expect(ours?.logicalBytes).toBeLessThan(tfjs?.logicalBytes ?? 0);
});
