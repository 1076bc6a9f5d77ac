// A training as bytes, and back.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { adam, loadTraining, lookahead, saveTraining, sgd } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { packFile, unpackFile } from '#src/snapshot/packed-tensors.js';

import { halfSquare, noise, onEveryEngine, valuesOf } from '../engines.js';

test('every float32 and int32 survives, whatever the names and shapes', () => {
  const list = fc.array(
    fc.record({ name: fc.string(), values: fc.float32Array({ maxLength: 9 }) }),
  );
  fc.assert(
    fc.property(list, fc.int32Array({ maxLength: 5 }), (floats, ints) => {
      const weights = floats.map(({ name, values }) => ({ name, shape: [values.length], values }));
      const state = [{ name: 'n', shape: [1, ints.length], values: ints }];
      const file = unpackFile(packFile({ optimizer: 'o', areInOrder: true, weights, state }));
      expect(file).toEqual({ optimizer: 'o', areInOrder: true, weights, state });
    }),
  );
});

test('bytes that are cut short, changed or something else are refused', () => {
  const values = Float32Array.of(1, 2);
  const bytes = packFile({
    optimizer: 'o',
    areInOrder: false,
    weights: [{ name: 'w', shape: [2], values }],
    state: [],
  });
  const code = { code: 'STATE_MISMATCH' };
  for (let end = 0; end < bytes.length; end++) {
    expect(() => unpackFile(bytes.subarray(0, end))).toThrow(expect.objectContaining(code));
  }
  expect(() => unpackFile(new TextEncoder().encode('{"format":1}'))).toThrow(/checksum/);
});

onEveryEngine(() => {
  test.each([1, 3, 4, 5])('saved after %i steps, a training goes on bit for bit', async (steps) => {
    const make = () => ({
      weights: [tf.variable(noise([6], 1)), tf.variable(noise([2, 2], 2))],
      optimizer: lookahead(adam({ learningRate: 0.1 }), {
        syncPeriod: 3,
        innerState: 'interpolate',
        workers: 0,
      }),
    });
    const train = async ({ weights, optimizer }: ReturnType<typeof make>, count: number) => {
      const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
      for (let i = 0; i < count; i++) await optimizer.step(loss, false, weights);
      return weights.map(valuesOf);
    };
    const first = make();
    await train(first, steps);
    const bytes = await saveTraining(first.optimizer, first.weights);
    const second = make();
    tf.tidy(() => second.weights.forEach((w) => w.assign(tf.zerosLike(w))));
    await loadTraining(bytes, second.optimizer, second.weights);
    const slow = () => second.optimizer.withSlowWeights(() => second.weights.map(valuesOf));
    expect(await slow()).toEqual(
      await first.optimizer.withSlowWeights(() => first.weights.map(valuesOf)),
    );
    expect(await train(second, 7)).toEqual(await train(first, 7));
  });

  describe('a LayersModel', () => {
    const make = () => {
      const model = tfl.sequential({
        layers: [tfl.layers.dense({ units: 2, inputShape: [3] }), tfl.layers.batchNormalization()],
      });
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { workers: 0 });
      model.compile({ optimizer, loss: 'meanSquaredError' });
      return { model, optimizer };
    };

    test('its BatchNorm statistics are saved too', async () => {
      const [first, second] = [make(), make()];
      tf.dispose(await first.model.trainOnBatch(noise([4, 3], 1), noise([4, 2], 2)));
      await loadTraining(
        await saveTraining(first.optimizer, first.model),
        second.optimizer,
        second.model,
      );
      const weights = ({ model }: ReturnType<typeof make>) => model.getWeights().map(valuesOf);
      expect(weights(second)).toEqual(weights(first));
    });

    test('another model, another optimizer, or no bytes: refused, and nothing has changed', async () => {
      const { model, optimizer } = make();
      const bytes = await saveTraining(optimizer, model);
      const x = tf.variable(tf.tensor1d([1]));
      const code = { code: 'STATE_MISMATCH' };
      await expect(loadTraining(bytes, optimizer, [x])).rejects.toMatchObject(code);
      await expect(loadTraining(bytes, sgd(), model)).rejects.toThrow(
        /is of a SlowlaneLookahead, not of a SlowlaneSgd/,
      );
      await expect(loadTraining('bytes' as never, optimizer, model)).rejects.toThrow(
        /saveTraining\(\)/,
      );
      expect(valuesOf(x)).toEqual([1]);
    });
  });
});

onEveryEngine(() => {
  test('saving without waiting for it: the steps after it wait, or the saving says so', async () => {
    const make = () => tf.tidy(() => tf.variable(tf.tensor1d([1, 2])));
    const x = make();
    const first = lookahead(adam({ learningRate: 0.1 }), { syncPeriod: 100, workers: 0 });
    const loss = (w: tf.Variable) => () => halfSquare(w);
    for (let i = 0; i < 3; i++) await first.step(loss(x), false, [x]);
    const saving = saveTraining(first, [x]);
    expect(() => first.minimize(loss(x), false, [x])).toThrow(/under way/);
    for (let i = 0; i < 3; i++) await first.step(loss(x), false, [x]);
    const y = make();
    const second = lookahead(adam({ learningRate: 0.1 }), { syncPeriod: 100, workers: 0 });
    await loadTraining(await saving, second, [y]);
    for (let i = 0; i < 3; i++) await second.step(loss(y), false, [y]);
    expect(valuesOf(y)).toEqual(valuesOf(x));

    const bare = adam();
    bare.minimize(loss(x), false, [x]);
    const torn = saveTraining(bare, [x]);
    bare.minimize(loss(x), false, [x]);
    await expect(torn).rejects.toMatchObject({ code: 'SYNC_RUNNING' });
  });

  test('names that differ in their endings are told apart by the order of the endings', async () => {
    const named = (from: number, values: number[]) =>
      values.map((value, i) =>
        tf.variable(tf.tensor1d([value]), true, `${tf.getBackend()}/s_${from + i}`),
      );
    const saved = named(0, [10, 11, 12]);
    const bytes = await saveTraining(sgd(), saved);
    tf.dispose(saved);
    const shifted = named(1, [0, 0, 0]);
    await loadTraining(bytes, sgd(), shifted);
    expect(shifted.flatMap(valuesOf)).toEqual([10, 11, 12]);
    const other = tf.variable(tf.tensor1d([0]), true, `${tf.getBackend()}/other`);
    await expect(loadTraining(bytes, sgd(), [other])).rejects.toThrow(/neither names nor order/);
    await expect(loadTraining(bytes, sgd(), [other])).rejects.toThrow(
      /saved model has 3 weights .*, this one has 1 .*together\. Load it into a model with the same weights\.$/,
    );
    const others = ['x', 'y', 'z'].map((name) => tf.variable(tf.tensor1d([0]), true, name));
    await expect(loadTraining(bytes, sgd(), others)).rejects.toThrow(
      /together\. Load it into the model that it was saved with\./,
    );
    tf.dispose(others);
    await expect(loadTraining(bytes, sgd(), shifted.slice(1))).rejects.toMatchObject({
      code: 'STATE_MISMATCH',
    });
    tf.dispose([...shifted, other]);
  });
});

test('one changed bit anywhere is found, and nothing but the file is in its buffer', () => {
  const values = new Float32Array(100_000);
  packFile({
    optimizer: 'large',
    areInOrder: false,
    weights: [{ name: 'w', shape: [100_000], values }],
    state: [],
  });
  const bytes = packFile({
    optimizer: 'o',
    areInOrder: false,
    weights: [{ name: 'w', shape: [1], values: Float32Array.of(1) }],
    state: [],
  });
  expect(bytes.buffer.byteLength).toBe(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const changed = bytes.slice();
    (changed[i] as number) ^= 1;
    expect(() => unpackFile(changed)).toThrow(/damaged/);
  }
});
