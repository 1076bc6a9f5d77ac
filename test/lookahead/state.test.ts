// Saving and going on: bit for bit, at every offset of a cycle, in one process and in a new one.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  adam,
  adaptive,
  Lookahead,
  lookahead,
  type LookaheadOptions,
  momentum,
  schedules,
  sgd,
} from 'slowlane';
import { describe, expect, test } from 'vitest';

import { halfSquare, noise, onEveryEngine, valuesOf } from '../engines.js';
import { entry } from '../built.js';

const K = 3;
const options = (innerState: LookaheadOptions['innerState']): LookaheadOptions => ({
  syncPeriod: K,
  slowStepSize: 0.3,
  innerState: innerState ?? 'maintain',
  workers: 0,
});

onEveryEngine(() => {
  describe.each(['maintain', 'interpolate', 'reset'] as const)('innerState %s', (innerState) => {
    test.each([0, 1, 2, 3, 4, 5])(
      'saved after %i steps, it goes on bit for bit for 3k steps',
      async (offset) => {
        const make = () => lookahead(adam({ learningRate: 0.05 }), options(innerState));
        const [x, y] = [tf.variable(noise([7], 1)), tf.variable(noise([2, 3], 2))];
        const loss = () => tf.add<tf.Scalar>(halfSquare(x), halfSquare(y));
        const first = make();
        for (let i = 0; i < offset; i++) await first.step(loss, false, [x, y]);
        const saved = await first.getWeights();
        const copies = saved.map(({ name, tensor }) => ({ name, tensor: tensor.clone() }));
        const weights = [x.clone(), y.clone()];

        for (let i = 0; i < 3 * K; i++) await first.step(loss, false, [x, y]);
        const expected = [valuesOf(x), valuesOf(y)];

        x.assign(weights[0] as tf.Tensor);
        y.assign(weights[1] as tf.Tensor);
        const second = make();
        await second.setWeights(copies);
        tf.dispose(copies.map(({ tensor }) => tensor));
        for (let i = 0; i < 3 * K; i++) await second.step(loss, false, [x, y]);
        expect([valuesOf(x), valuesOf(y)]).toEqual(expected);
        expect(second.iterations).toBe(offset + 3 * K);
      },
    );
  });

  test('loading neither changes nor keeps what it is given', async () => {
    const x = tf.variable(tf.tensor1d([1, 2]));
    const first = lookahead(adam({ learningRate: 0.1 }), options('interpolate'));
    for (let i = 0; i < 4; i++) await first.step(() => halfSquare(x), false, [x]);
    const saved = await first.getWeights();
    const before = saved.map(({ tensor }) => valuesOf(tensor));
    const y = tf.variable(x.clone());
    const second = lookahead(adam({ learningRate: 0.1 }), options('interpolate'));
    await second.setWeights(saved);
    for (let i = 0; i < 4; i++) await second.step(() => halfSquare(y), false, [y]);
    expect(saved.map(({ tensor }) => valuesOf(tensor))).toEqual(before);
    for (let i = 0; i < 4; i++) await first.step(() => halfSquare(x), false, [x]);
    expect(valuesOf(x)).toEqual(valuesOf(y));
  });

  test('model.save with the optimizer, and loading it, go on bit for bit and leak nothing', async () => {
    const data = { x: noise([12, 4], 5), y: noise([12, 1], 6) };
    const train = async (model: tfl.LayersModel, batches: number) => {
      const optimizer = model.optimizer as Lookahead;
      for (let i = 0; i < batches; i++) {
        tf.dispose(await model.trainOnBatch(data.x, data.y));
        await optimizer.sync();
      }
    };
    const dense = (units: number, seed: number) =>
      tfl.layers.dense({ units, kernelInitializer: tfl.initializers.glorotUniform({ seed }) });
    const model = tfl.sequential();
    model.add(tfl.layers.inputLayer({ inputShape: [4] }));
    for (const seed of [1, 2, 3]) model.add(dense(4, seed)); // equal shapes: order must not be mixed up
    model.add(dense(1, 4));
    const optimizer = lookahead(
      adam({ learningRate: schedules.cosine({ initial: 0.05, decaySteps: 20 }) }),
      {
        syncPeriod: 4,
        slowStepSize: schedules.step({ initial: 0.8, every: 1, factor: 0.5 }),
        overrides: [{ weights: /dense_.*bias/, slowStepSize: 1 }],
      },
    );
    model.compile({ optimizer, loss: 'meanSquaredError' });
    await train(model, 6);
    const { numTensors } = tf.memory();
    let artifacts: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (saved) => {
        artifacts = saved;
        return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(saved) };
      }),
      { includeOptimizer: true },
    );
    expect(tf.memory().numTensors).toBe(numTensors);
    const json = JSON.parse(
      JSON.stringify({ ...artifacts, weightData: undefined }),
    ) as tf.io.ModelArtifacts;
    const loaded = await tfl.loadLayersModel(
      tf.io.fromMemory({ ...json, weightData: artifacts?.weightData as ArrayBuffer }),
    );
    expect(loaded.optimizer).toBeInstanceOf(Lookahead);
    await train(model, 9);
    await train(loaded, 9);
    const weights = (of: tfl.LayersModel) => of.getWeights().map(valuesOf);
    expect(weights(loaded)).toEqual(weights(model));
  });

  test('the state of another model is refused, with both shapes', async () => {
    const x = tf.variable(tf.tensor1d([1, 2]));
    const y = tf.variable(tf.tensor2d([[1, 2, 3]]));
    const first = lookahead(sgd({ learningRate: 0.1 }));
    await first.step(() => halfSquare(x), false, [x]);
    const second = lookahead(sgd({ learningRate: 0.1 }));
    await second.setWeights(await first.getWeights());
    const step = second.step(() => halfSquare(y), false, [y]);
    await expect(step).rejects.toThrow(/shape \[2\].*shape \[1, 3\]/);
    expect(valuesOf(y)).toEqual([1, 2, 3]);
    const other = sgd({ learningRate: 0.1 });
    await expect(second.setWeights(await other.getWeights())).rejects.toMatchObject({
      code: 'STATE_MISMATCH',
    });
  });
});

test('a new process goes on bit for bit', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slowlane-state-'));
  const run = (steps: string, ...rest: string[]) =>
    execFileSync(
      process.execPath,
      ['--import', 'tsx', entry('test/lookahead/resume.ts'), folder, steps, ...rest],
      {
        encoding: 'utf8',
      },
    );
  try {
    const whole = run('13');
    run('5', 'save');
    expect(run('8', 'load')).toBe(whole);
    expect(JSON.parse(whole)).toHaveLength(2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('options that are functions cannot be saved, and the error says what can', () => {
  const curvature = () => tf.ones([1]);
  const cases: Lookahead[] = [
    lookahead(sgd({ learningRate: 0.1 }), { slowStepSize: () => 0.5 }),
    lookahead(sgd({ learningRate: 0.1 }), { slowStepSize: adaptive({ curvature }) }),
    lookahead(sgd({ learningRate: 0.1 }), { overrides: [{ weights: () => true, exclude: true }] }),
    lookahead(momentum({ learningRate: () => 0.1, momentum: 0.9 })),
  ];
  for (const optimizer of cases) {
    expect(() => optimizer.getConfig()).toThrow(
      expect.objectContaining({ code: 'NOT_SERIALIZABLE' }),
    );
  }
});
