// `slowlane plan`, as a process.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { plan, type Plan } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { planText } from '#src/cli/plan/text.js';

import { expectRefusal, slowlane, temporaryFolder } from '../run-cli.js';

const run = (args: string) => slowlane(['plan', ...args.split(' ')]);

/** A model.json without its weights, as `model.save()` writes it. */
async function modelFile(model: tfl.LayersModel): Promise<string> {
  const path = join(temporaryFolder(), 'model.json');
  const modelTopology = model.toJSON(null, false) as object;
  writeFileSync(path, JSON.stringify({ format: 'layers-model', modelTopology }));
  return path;
}

describe('a plan', () => {
  test('350 M parameters on 6 GiB: a table, the pick and the call that makes it so', async () => {
    const { code, stdout, stderr } = await run('--params 350M --inner adam --vram 6GiB');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('350M parameters, adam, batch 32, a sync every 5 steps');
    expect(stdout).toMatch(/│ → │ keep +│ device:f32 │ +5.23 GiB │ +yes │/);
    expect(stdout).toMatch(/│ {3}│ release +│ device:f32 │ +4.01 GiB │ +yes │/);
    expect(stdout).toMatch(/│ → │ host:f16 +│ +700 MiB │/);
    expect(stdout).toContain('→ lookahead(adam(), { slow: ');
    expect(stdout).not.toContain('ms/step');
  });

  test('--json is the plan', async () => {
    const args = '--params 10M --vram 1GiB --bus 12GB/s --slow host:f16 --json';
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    const expected = plan({ weights: '10M', vramBudget: '1GiB', bus: '12GB/s', slow: 'host:f16' });
    expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(expected)));
  });

  test('--bus adds the time: 200 M bytes each way every 5 steps at 8 GB/s are 10 ms', async () => {
    const { stdout } = await run('--params 100M --vram 2GiB --slow host:f16 --bus 8GB/s');
    expect(stdout).toMatch(/ms\/step │\n.*\+10\.0 │/);
  });

  test('nothing fits: exit code 1, by how much, and what would be enough', async () => {
    const { code, stdout } = await run(
      '--params 350M --vram 4GiB --moments device:f32 --gradients keep',
    );
    expect(code).toBe(1);
    expect(stdout).toContain('Nothing fits.');
    expect(stdout).toContain('1.23 GiB of VRAM');
    expect(stdout).toContain('momentum, a rule with one slot a weight (3.93 GiB of VRAM)');
  });

  test('a model.json whose layers feed each other is refused, and so is a pipe', async () => {
    const layer = (name: string, from: string) => ({
      name,
      class_name: 'Dense',
      config: { name, units: 2 },
      inbound_nodes: [[[from, 0, 0, {}]]],
    });
    const config = {
      name: 'm',
      layers: [layer('a', 'b'), layer('b', 'a')],
      input_layers: [['a', 0, 0]],
      output_layers: [['b', 0, 0]],
    };
    const path = join(temporaryFolder(), 'model.json');
    writeFileSync(path, JSON.stringify({ modelTopology: { class_name: 'Model', config } }));
    const cyclic = await run(`--model ${path} --vram 4GiB`);
    expectRefusal(cyclic, path, "the inputs of 'a', 'b' never come");
    execFileSync('mkfifo', [`${path}.pipe`]);
    const pipe = await run(`--model ${path}.pipe --vram 4GiB`);
    expectRefusal(pipe, `${path}.pipe`, 'it is a pipe or a device, not a regular file');
  });

  test('a model.json: activations and the largest batch, whatever its initial values', async () => {
    await tf.setBackend('cpu');
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({
          units: 64,
          inputShape: [32],
          activation: 'relu',
          kernelInitializer: 'zeros',
        }),
        tfl.layers.dense({ units: 8, kernelInitializer: 'zeros' }),
      ],
    });
    const path = await modelFile(model);
    const args = ['plan', '--model', path, '--batch', '16', '--vram', '1MiB', '--json'];
    const { code, stdout, stderr } = await slowlane(args);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const found = JSON.parse(stdout) as Plan;
    const expected = plan({ model, batchSize: 16, vramBudget: '1MiB' });
    expect(found.pick).toEqual(JSON.parse(JSON.stringify(expected.pick)));
    expect(found.parameters).toBe(32 * 64 + 64 + 64 * 8 + 8);
    expect(found.policies[0]?.largestBatch).toBeGreaterThan(16);
  });
});

test('--override: the planned bytes follow it, and the call has it', async () => {
  await tf.setBackend('cpu');
  const dense = (name: string) => tfl.layers.dense({ units: 64, inputShape: [64], name });
  const path = await modelFile(tfl.sequential({ layers: [dense('first'), dense('second')] }));
  const options = ['--vram', '1MiB', '--slow', 'host:f32', '--json'];
  const override = ['--override', 'first/kernel:slow=host:f16,moments=device:q8'];
  const { code, stdout } = await slowlane(['plan', '--model', path, ...options, ...override]);
  expect(code).toBe(0);
  const { pick, overrides } = JSON.parse(stdout) as Plan;
  expect(overrides).toEqual([
    { weights: '/first\\/kernel/', count: 1, slow: 'host:f16', moments: 'device:q8' },
  ]);
  // Kernels of 64 × 64, one of them in fp16, and two biases of 64.
  expect(pick?.host.slow).toBe(64 * 64 * (2 + 4) + 2 * 256);
  const misspelt = ['--override', 'frist:exclude'];
  const refused = await slowlane(['plan', '--model', path, ...options, ...misspelt]);
  expectRefusal(refused, '/frist/ fits none of 4 names', "The nearest are 'first/kernel'");
});

describe('a wrong request ends with exit code 2, and says what was received and what is allowed', () => {
  test.concurrent.each([
    ['--params 350M', '--vram', 'not specified'],
    ['--vram 4GiB', 'neither --params nor --model', '--params 350M'],
    ['--params many --vram 4GiB', "'many'", '350M, 1.3B'],
    ['--params 350M --vram 4', "'4'", 'a size with its unit'],
    ['--params 350M --vram lots', "'lots'", 'or auto'],
    ['--params 350M --vram 4GiB --inner adan', "'adan'", 'sgd, momentum, rmsprop, adagrad'],
    ['--params 350M --vram 4GiB --bus usb', "'usb'", 'pcie4x16'],
    ['--params 350M --vram 4GiB --batch 0', "'0'", 'a whole number ≥ 1'],
    ['--params 350M --vram 4GiB --slow host:int4', "'host:int4'", 'host:f16'],
    ['--params 350M --vram 4GiB --override a:exclude', '--override', 'Give the model'],
    ['--params 350M --vram 4GiB --override a:slw=host:f16', "'slw'", "Did you mean 'slow'?"],
    ['--params 350M --model m.json --vram 4GiB', '--params', 'cannot be used with'],
    ['--model missing.json --vram 4GiB', 'missing.json', "doesn't exist"],
    ['--model package.json --vram 4GiB', 'package.json', 'no modelTopology'],
    ['--model README.md --vram 4GiB', 'README.md', 'not JSON'],
  ])('slowlane plan %s', async (args, received, allowed) => {
    expectRefusal(await run(args), received, allowed);
  });
});

describe('the width of a terminal', () => {
  const made = plan({ weights: '1.3B', vramBudget: '4GiB', hostBudget: '2GiB', bus: 'pcie4x16' });

  test.each([40, 80, 160])('%d columns: nothing is wider', (columns) => {
    const lines = planText(made, columns).split('\n');
    expect(lines.filter(({ length }) => length > columns)).toEqual([]);
  });

  test('80 columns take the tables; 40 take lines', () => {
    expect(planText(made, 80)).toContain('┌');
    expect(planText(made, 40)).not.toContain('┌');
  });
});
