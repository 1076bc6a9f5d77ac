// Real, short runs as processes: what they print, what they leave, how they end.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRecord, slowlane, temporaryFolder } from '../run-cli.js';

/** Not started side by side: two cores, and each run uses more than one. */
describe('slowlane train', () => {
  test('30 steps on cpu: table, run.json and report.html', async () => {
    const out = join(temporaryFolder(), 'new', 'out');
    const { code, stdout, stderr } = await slowlane(
      `train --steps 30 --engine cpu --batch-size 32 --out ${out}`.split(' '),
    );
    expect(stderr).toMatch(/step 1\/30 · loss \d\.\d+ · [\d.]+ steps\/s · ETA /); // no sync yet
    expect(stderr).toMatch(/step 30\/30 · loss \d\.\d+ · [\d.]+ steps\/s · sync \d+\.\d ms · ETA /);
    expect(stdout).toMatch(/Test accuracy, slow weights +│ +\d\d\.\d\d %/);
    expect(code).toBe(0);

    const record = readRecord(out);
    expect(record.partial).toBe(false);
    expect(record.engine.name).toBe('cpu');
    expect(record.losses.map(({ step }) => step)).toEqual(range(1, 30));
    expect(record.evaluations.map(({ weights }) => weights)).toEqual(['fast', 'slow']);
    expect(record.sync?.syncs).toBe(6); // 30 steps, every 5th
    const weightBytes = 4 * (784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10);
    expect(record.memory.weightBytes).toBe(weightBytes);
    expect(record.memory.host?.slowBytes).toBeGreaterThanOrEqual(weightBytes);
    expect(record.memory.deviceBytes).toBeGreaterThanOrEqual(3 * weightBytes); // Adam's two slots
    // The 30th step ended in a sync: fast and slow are the same.
    expect(record.evaluations[0]?.loss).toBe(record.evaluations[1]?.loss);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('mlp on mnist');
    expect(readdirSync(out).toSorted()).toEqual(['report.html', 'run.json']);
  });

  test.each(['wasm', 'cpu'])('the same seed repeats a run exactly on %s', async (engine) => {
    const [one, two, other] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
    const run = (out: string, seed: number) =>
      slowlane(
        `train --steps 12 --batch-size 16 --engine ${engine} --seed ${seed} --out ${out}`.split(
          ' ',
        ),
      );
    await Promise.all([run(one, 7), run(two, 7), run(other, 8)]);
    expect(readRecord(two).losses).toEqual(readRecord(one).losses);
    expect(readRecord(two).evaluations).toEqual(readRecord(one).evaluations);
    expect(readRecord(other).losses).not.toEqual(readRecord(one).losses);
  });

  test('--override: the record keeps it, and the report shows it', async () => {
    const out = temporaryFolder();
    const run = (overrides: readonly string[]) =>
      slowlane([
        ...`train --steps 2 --engine cpu --batch-size 16 --out ${out}`.split(' '),
        ...overrides.flatMap((one) => ['--override', one]),
      ]);
    const kernels = 'kernel$:slow=host:f16,moments=device:q8,slow-step-size=0.25';
    const { code } = await run([kernels, 'Dense3/bias:exclude']);
    expect(code).toBe(0);
    const record = readRecord(out);
    expect(record.overrides).toEqual([
      { weights: 'kernel$', slow: 'host:f16', moments: 'device:q8', slowStepSize: 0.25 },
      { weights: 'Dense3/bias', exclude: true },
    ]);
    // In fp16 but the last kernel of 640 elements, which is too small for it, and two biases.
    const bytes = 2 * (784 * 128 + 128 * 64) + 4 * (64 * 10 + 128 + 64);
    expect(record.memory.host?.slowBytes).toBeGreaterThanOrEqual(bytes);
    expect(record.memory.host?.slowBytes).toBeLessThan(1.01 * bytes + 4096);
    const report = readFileSync(join(out, 'report.html'), 'utf8');
    expect(report).toContain('override kernel$');
    expect(report).toContain('slow host:f16, moments device:q8, slowStepSize 0.25');
    const misspelt = await run(['kernl:exclude']);
    expect(misspelt.code).toBe(2);
    expect(misspelt.stderr).toContain("The nearest are 'dense_Dense1/kernel'");
  });

  test('--no-lookahead trains with the inner optimizer alone', async () => {
    const out = temporaryFolder();
    const { code } = await slowlane(
      `train --steps 10 --engine wasm --inner sgd --no-lookahead --out ${out}`.split(' '),
    );
    expect(code).toBe(0);
    const record = readRecord(out);
    expect(record.sync).toBeNull();
    expect(record.memory.host).toBeNull();
    expect(record.evaluations.map(({ weights }) => weights)).toEqual(['fast']);
  });

  test('a text is trained on with the transformer, where no model is named', async () => {
    const out = temporaryFolder();
    await slowlane(`train --data moby-dick --engine wasm --batch-size 2 --out ${out}`.split(' '), {
      // Testing would take far longer than the step.
      onStart: (child) =>
        child.stderr?.on('data', (text: unknown) => {
          if (String(text).includes('step 1/')) child.kill('SIGINT');
        }),
    });
    expect(readRecord(out).options['model']).toBe('transformer');
  });

  test('auto takes wasm or TensorFlow for a cnn too', async () => {
    const out = temporaryFolder();
    const { code, stdout } = await slowlane(
      `train --model cnn --steps 2 --batch-size 4 --out ${out}`.split(' '),
    );
    expect(code).toBe(0);
    expect(stdout).not.toContain("can't train");
    expect(readRecord(out).engine.name).toMatch(/^(wasm|tensorflow .*)$/);
  });

  test('a loss that is not finite stops the run, with the step and a remedy, and leaves a partial record', async () => {
    const out = temporaryFolder();
    const { code, stderr } = await slowlane(
      `train --inner sgd --learning-rate 1e30 --steps 20 --engine wasm --out ${out}`.split(' '),
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/not finite|NaN|Infinity/);
    expect(stderr).toContain('→ Try a smaller --learning-rate');
    expect(stderr).not.toMatch(/^ +at /m);
    expect(readRecord(out).partial).toBe(true);
  });
});

describe('a run that cannot start ends with exit code 1, the reason and a remedy', () => {
  const expectFailure = async (args: string, reason: string, remedy: string): Promise<void> => {
    const { code, stderr } = await slowlane(args.split(' '));
    expect(stderr).toContain(reason);
    expect(stderr).toContain(`→ ${remedy}`);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(code).toBe(1);
  };

  test('--data-dir has no data, and no output folder is left behind', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out');
    await expectFailure(
      `train --data fashion-mnist --data-dir ${folder}/none --steps 1 --out ${out}`,
      `${folder}/none/train-images-idx3-ubyte can't be read: it doesn't exist`,
      'On Debian and Ubuntu: apt-get install dataset-fashion-mnist',
    );
    expect(existsSync(out)).toBe(false);
  });

  test('--data-dir has files of another kind', async () => {
    const folder = temporaryFolder();
    for (const file of [
      'train-images-idx3',
      'train-labels-idx1',
      't10k-images-idx3',
      't10k-labels-idx1',
    ]) {
      writeFileSync(join(folder, `${file}-ubyte`), 'not an IDX file, but long enough');
    }
    await expectFailure(
      `train --data-dir ${folder} --steps 1 --out ${folder}/out`,
      `${folder}/train-images-idx3-ubyte: expected the IDX magic number 2051`,
      'Give a folder with the four IDX files of MNIST',
    );
  });

  test('--engine tensorflow is not installed', async () => {
    await expectFailure(
      `train --engine tensorflow --steps 1 --out ${join(temporaryFolder(), 'out')}`,
      "TensorFlow can't be used: @tensorflow/tfjs-node-gpu isn't installed",
      'npm install @tensorflow/tfjs-node',
    );
  });
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
