// The command line on the engine: real, short runs.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { loadData } from '#src/cli/data/load.js';
import { cnn } from '#src/models/layers.js';
import { MNIST_SHAPE } from '#src/models/dataset.js';
import { meanCrossEntropy } from '#src/models/cross-entropy.js';

import { readRecord, slowlane, temporaryFolder } from '../../cli/run-cli.js';
import { start } from './engine.js';

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
});

test('a CNN takes the same steps on TensorFlow, again on TensorFlow, and on cpu', async () => {
  await start();
  const data = await loadData('mnist', undefined, () => {});
  const losses = async (backend: string) => {
    await tf.setBackend(backend);
    const model = cnn(MNIST_SHAPE, 7);
    const optimizer = lookahead(adam(), { syncPeriod: 2 });
    const batches = data.batches(4, 7);
    const seen: number[] = [];
    for (let i = 0; i < 6; i++) {
      const batch = batches.next().value;
      const loss = () => meanCrossEntropy(model, batch);
      const cost = await optimizer.step(loss, true, [...model.variables]);
      seen.push(...(cost?.dataSync() ?? []));
      tf.dispose([cost, batch.inputs, batch.labels].filter((tensor) => tensor !== null));
    }
    await optimizer.finish();
    optimizer.dispose();
    model.dispose();
    return seen;
  };
  const one = await losses('tensorflow');
  expect(one).toHaveLength(6);
  expect(await losses('tensorflow')).toEqual(one);
  const onCpu = await losses('cpu');
  one.forEach((loss, i) => expect(loss).toBeCloseTo(onCpu[i] ?? NaN, 4));
  await tf.setBackend('tensorflow');
});
