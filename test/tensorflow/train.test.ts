// The command line on the engine: real, short runs.

import { describe, expect, test } from 'vitest';

import { readRecord, slowlane, temporaryFolder } from '../cli/run-cli.js';

describe('slowlane train', () => {
  test('a CNN on MNIST: auto picks TensorFlow, which can train convolutions', async () => {
    const out = temporaryFolder();
    const { code, stdout, stderr } = await slowlane(
      `train --data mnist --model cnn --steps 20 --batch-size 32 --out ${out}`.split(' '),
    );
    expect(stderr).toMatch(/step 20\/20/);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Test accuracy, slow weights/);
    const { engine, losses, evaluations, sync } = readRecord(out);
    expect(engine.name).toBe('tensorflow (CPU)');
    expect(sync?.syncs).toBe(4);
    expect(losses.at(-1)?.loss).toBeLessThan(losses[0]?.loss ?? 0);
    expect(evaluations.map(({ weights }) => weights)).toEqual(['fast', 'slow']);
  });

  test('an LSTM on Moby Dick with --engine tensorflow', async () => {
    const out = temporaryFolder();
    const { code, stderr } = await slowlane(
      `train --data moby-dick --model lstm --engine tensorflow --steps 30 --out ${out}`.split(' '),
    );
    expect(stderr).toMatch(/step 30\/30/);
    expect(code).toBe(0);
    const { engine, losses } = readRecord(out);
    expect(engine.name).toBe('tensorflow (CPU)');
    expect(losses.at(-1)?.loss).toBeLessThan(losses[0]?.loss ?? 0);
  });

  test('the same seed repeats a CNN’s run, and takes the steps that it takes on cpu', async () => {
    const losses: number[][] = [];
    for (const engine of ['tensorflow', 'tensorflow', 'cpu']) {
      const out = temporaryFolder();
      await slowlane(
        `train --model cnn --steps 6 --batch-size 4 --engine ${engine} --seed 7 --out ${out}`.split(
          ' ',
        ),
      );
      losses.push(readRecord(out).losses.map(({ loss }) => loss ?? NaN));
    }
    const [one, two, onCpu] = losses as [number[], number[], number[]];
    expect(two).toEqual(one);
    one.forEach((loss, i) => expect(loss).toBeCloseTo(onCpu[i] as number, 3));
  });
});
