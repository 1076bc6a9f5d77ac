// The process's memory on the card, as the driver's tool says it.

import { chmodSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';

import { temporaryFolder } from '../../cli/run-cli.js';
import { start, variable } from './engine.js';

beforeAll(async () => void (await start()));

/** A program of that name which says `output`, found before any other. */
function nvidiaSmiSaying(output: string): void {
  const folder = temporaryFolder();
  const program = join(folder, 'nvidia-smi');
  writeFileSync(program, `#!/bin/sh\ncat <<'END'\n${output}\nEND\n`);
  chmodSync(program, 0o755);
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH']}`);
}

test('nvidia-smi: what this process holds on all cards, others left out', async () => {
  const { engine } = await start();
  nvidiaSmiSaying(`1, 5000\n${process.pid}, 300\n${process.pid}, 12`);
  expect((await engine.memory()).gpuBytes).toBe(312 * 2 ** 20);
  vi.unstubAllEnvs();
});

test.each(['', '1, 5000', `${process.pid}, [N/A]`])(
  'nvidia-smi that says %o: not known',
  async (output) => {
    const { engine } = await start();
    nvidiaSmiSaying(output);
    expect((await engine.memory()).gpuBytes).toBeNull();
    vi.unstubAllEnvs();
  },
);

test('tensors are counted', async () => {
  const { engine } = await start();
  const before = await engine.memory();
  const x = variable([1000], 1);
  expect((await engine.memory()).tensorBytes).toBe(before.tensorBytes + 4000);
  x.dataSync();
  x.square().dispose(); // the first op uploads
  expect((await engine.memory()).tensors).toBe(before.tensors + 1);
  x.dispose();
  expect(await engine.memory()).toMatchObject({ tensors: before.tensors, gpuBytes: null });
});
