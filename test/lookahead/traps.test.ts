// The trap table of the specification, section 6: one test a row, where it is not golden.test.ts,
// options.test.ts or state.test.ts that has it.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, lookahead, momentum, sgd } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { halfSquare, noise, onEveryEngine, valuesOf } from '../engines.js';

onEveryEngine(() => {
  /** A gradient of 1 for every element. */
  const slope = (x: tf.Variable) => tf.sum(x) as tf.Scalar;

  test('weights loaded after construction and before the first step are θ₀: 100 → 99 → (98 → 99)', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2 });
    x.assign(tf.tensor1d([100]));
    await optimizer.step(() => slope(x), false, [x]);
    await optimizer.step(() => slope(x), false, [x]);
    expect(valuesOf(x)).toEqual([99]);
  });

  test('weights replaced in mid-training count after resync(): 0 → −1, 100, → 99 → (98 → 99)', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2 });
    await optimizer.step(() => slope(x), false, [x]);
    x.assign(tf.tensor1d([100]));
    await optimizer.resync();
    await optimizer.step(() => slope(x), false, [x]);
    await optimizer.step(() => slope(x), false, [x]);
    expect(valuesOf(x)).toEqual([99]);
  });

  test('every trainable weight syncs, also one that had no gradient in that step', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const y = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2 });
    await optimizer.step(() => tf.add(slope(x), slope(y)), false, [x, y]);
    await optimizer.step(() => slope(x), false, [x, y]);
    expect(valuesOf(y)).toEqual([-0.5]); // 0 → −1 → half of the way back
  });

  describe('withSlowWeights', () => {
    test('nests, survives a throw inside, and puts the fast weights back to the bit', async () => {
      const x = tf.variable(noise([1000], 1));
      const start = valuesOf(x);
      const optimizer = lookahead(adam({ learningRate: 0.1 }), { syncPeriod: 10 });
      await optimizer.step(() => halfSquare(x), false, [x]);
      const fast = valuesOf(x);
      const seen: number[][] = [];
      const attempt = optimizer.withSlowWeights(async () => {
        seen.push(valuesOf(x));
        await optimizer.withSlowWeights(() => seen.push(valuesOf(x)));
        seen.push(valuesOf(x));
        throw new Error('thrown inside');
      });
      await expect(attempt).rejects.toThrow('thrown inside');
      expect(seen).toEqual([start, start, start]);
      expect(valuesOf(x)).toEqual(fast);
    });

    test('a step inside throws and changes nothing; after it training goes on', async () => {
      const x = tf.variable(tf.tensor1d([0]));
      const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2 });
      await optimizer.step(() => slope(x), false, [x]);
      await optimizer.withSlowWeights(async () => {
        const code = { code: 'INSIDE_SLOW_WEIGHTS' };
        expect(() => optimizer.minimize(() => slope(x), false, [x])).toThrow(
          /inside withSlowWeights/,
        );
        await expect(optimizer.step(() => slope(x), false, [x])).rejects.toMatchObject(code);
        await expect(optimizer.sync()).rejects.toMatchObject(code);
        await expect(optimizer.finish()).rejects.toMatchObject(code);
        expect(valuesOf(x)).toEqual([0]);
      });
      expect(valuesOf(x)).toEqual([-1]);
      await optimizer.step(() => slope(x), false, [x]);
      expect(valuesOf(x)).toEqual([-1]); // −2, half of the way back
    });

    test('two at a time share one swap, and the last to leave puts the fast weights back', async () => {
      const x = tf.variable(tf.tensor1d([0]));
      const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 3 });
      await optimizer.step(() => slope(x), false, [x]);
      const look = async (ms: number) =>
        optimizer.withSlowWeights(async () => {
          await new Promise((resolve) => setTimeout(resolve, ms));
          return valuesOf(x);
        });
      expect(await Promise.all([look(5), look(30)])).toEqual([[0], [0]]);
      expect(valuesOf(x)).toEqual([-1]);
    });
  });

  test('a NaN gradient in a non-sync step never reaches the slow weights', async () => {
    const x = tf.variable(tf.tensor1d([1, 2]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2, slowStepSize: 0 });
    await optimizer.step(() => tf.sum(tf.mul(x, NaN)), false, [x]);
    const second = optimizer.step(() => slope(x), false, [x]);
    await expect(second).rejects.toMatchObject({ code: 'NON_FINITE' });
    await optimizer.discard();
    expect(valuesOf(x)).toEqual([1, 2]);
  });

  test('fast and slow weights are equal to the bit after a sync', async () => {
    const x = tf.variable(noise([5000], 3));
    const optimizer = lookahead(adam({ learningRate: 0.01 }), {
      syncPeriod: 3,
      slowStepSize: 1 / 3,
    });
    for (let i = 0; i < 6; i++) await optimizer.step(() => halfSquare(x), false, [x]);
    const fast = valuesOf(x);
    await optimizer.withSlowWeights(() => expect(valuesOf(x)).toEqual(fast));
  });

  describe('memory is never shared between the host and the device', () => {
    test('an array that the caller made a weight of is left alone', async () => {
      const array = new Float32Array([1, 2, 3]);
      const x = tf.variable(tf.tensor1d(array));
      const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 1 });
      await optimizer.step(() => tf.sum(tf.mul(x, 0)), false, [x]);
      await optimizer.step(() => slope(x), false, [x]);
      expect([...array]).toEqual([1, 2, 3]);
    });

    test('writing to the array after upload does not reach the slow weights', async () => {
      const array = new Float32Array([1, 2, 3]);
      const x = tf.variable(tf.tensor1d(array));
      const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2 });
      await optimizer.step(() => slope(x), false, [x]);
      array.fill(99);
      await optimizer.discard();
      expect(valuesOf(x)).toEqual([1, 2, 3]);
    });

    test('a clone taken before a sync keeps its values', async () => {
      const x = tf.variable(tf.tensor1d([4]));
      const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2 });
      await optimizer.step(() => slope(x), false, [x]);
      const kept = x.clone(); // 3
      await optimizer.step(() => slope(x), false, [x]);
      await optimizer.sync();
      expect([valuesOf(kept), valuesOf(x)]).toEqual([[3], [3]]); // 4 → 3 → (2 → 3)
      await optimizer.step(() => slope(x), false, [x]);
      await optimizer.discard();
      await optimizer.step(() => slope(x), false, [x]);
      expect(valuesOf(kept)).toEqual([3]);
    });
  });

  test('100 cycles, swaps, saves and a load leak no tensor', async () => {
    const x = tf.variable(tf.tensor1d([1, 2, 3]));
    const optimizer = lookahead(momentum({ learningRate: 0.01, momentum: 0.9 }), { syncPeriod: 2 });
    const cycle = async () => {
      for (let i = 0; i < 2; i++) {
        const cost = await optimizer.step(() => halfSquare(x), true, [x]);
        cost?.dispose();
      }
    };
    await cycle();
    const { numTensors } = tf.memory();
    for (let i = 0; i < 100; i++) await cycle();
    expect(tf.memory().numTensors).toBe(numTensors);
    await optimizer.withSlowWeights(() => {});
    const saved = await optimizer.getWeights();
    expect(tf.memory().numTensors).toBe(numTensors);
    await optimizer.setWeights(saved);
    await cycle();
    expect(tf.memory().numTensors).toBe(numTensors);
    optimizer.dispose();
    x.dispose();
    expect(tf.memory().numTensors).toBe(numTensors - 2); // the weight and its momentum
  });

  test('a sync leaves BatchNorm statistics alone', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 3, inputShape: [2] }),
        tfl.layers.batchNormalization({ momentum: 0.5 }),
        tfl.layers.dense({ units: 1 }),
      ],
    });
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2 });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const [x, y] = [noise([8, 2], 1), noise([8, 1], 2)];
    for (let i = 0; i < 2; i++) await model.trainOnBatch(x, y);
    const moving = () =>
      model.weights.filter(({ name }) => name.includes('moving')).map((w) => valuesOf(w.read()));
    const before = moving();
    const trained = () => model.trainableWeights.map((w) => valuesOf(w.read()));
    const fast = trained();
    await optimizer.sync();
    expect(moving()).toEqual(before);
    expect(before.flat().some((value) => value !== 0 && value !== 1)).toBe(true);
    expect(trained()).not.toEqual(fast);
  });

  describe('a step between download and upload of a sync', () => {
    test('minimize throws and says what to await; the sync is not disturbed', async () => {
      const x = tf.variable(tf.tensor1d([0]));
      const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2 });
      optimizer.minimize(() => slope(x), false, [x]);
      optimizer.minimize(() => slope(x), false, [x]);
      const sync = optimizer.sync();
      await Promise.resolve();
      await Promise.resolve();
      expect(() => optimizer.minimize(() => slope(x), false, [x])).toThrow(/Await|await/);
      await sync;
      expect(valuesOf(x)).toEqual([-1]);
      optimizer.minimize(() => slope(x), false, [x]);
      expect(valuesOf(x)).toEqual([-2]);
    });

    test('steps that are not awaited queue, and none is lost: 0 −1 (−2 → −1) −2 (−3 → −2)', async () => {
      const x = tf.variable(tf.tensor1d([0]));
      const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2 });
      const steps = Array.from({ length: 4 }, () => optimizer.step(() => slope(x), true, [x]));
      const costs = await Promise.all(steps);
      expect(costs.map((cost) => (cost ? valuesOf(cost)[0] : null))).toEqual([0, -1, -1, -2]);
      expect(valuesOf(x)).toEqual([-2]);
    });
  });

  test('a step while a sync is due throws before it changes anything', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 1 });
    optimizer.minimize(() => slope(x), false, [x]);
    expect(() => optimizer.minimize(() => slope(x), false, [x])).toThrow(
      /callbacks\(\).*sync\(\).*step\(/s,
    );
    expect(() => optimizer.applyGradients({ [x.name]: tf.ones([1]) })).toThrow(/sync is due/);
    await expect(optimizer.getWeights()).rejects.toMatchObject({ code: 'SYNC_DUE' });
    expect([valuesOf(x), optimizer.iterations]).toEqual([[-1], 1]);
    await optimizer.sync();
    await optimizer.sync(); // nothing is due: no second blend
    expect(valuesOf(x)).toEqual([-0.5]);
  });

  test('a loss that throws counts for no step', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2 });
    const { numTensors } = tf.memory();
    const fail = () => {
      throw new Error('no loss today');
    };
    await expect(optimizer.step(fail, false, [x])).rejects.toThrow('no loss today');
    expect(() => optimizer.minimize(fail, false, [x])).toThrow('no loss today');
    expect(optimizer.iterations).toBe(0);
    await optimizer.sync();
    expect(tf.memory().numTensors).toBe(numTensors);
    await optimizer.step(() => slope(x), false, [x]);
    await optimizer.step(() => slope(x), false, [x]);
    expect(valuesOf(x)).toEqual([-1]);
  });
});

onEveryEngine(() => {
  const slope = (x: tf.Variable) => tf.sum(x) as tf.Scalar;

  test('weights loaded after a step that failed, or after attach(), are θ₀', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2, workers: 0 });
    await optimizer.attach([x]);
    x.assign(tf.tensor1d([50]));
    await optimizer.withSlowWeights(() => expect(valuesOf(x)).toEqual([50]));
    const fail = optimizer.step(
      () => {
        throw new Error('no loss');
      },
      false,
      [x],
    );
    await expect(fail).rejects.toThrow('no loss');
    x.assign(tf.tensor1d([100]));
    optimizer.minimize(() => slope(x), false, [x]);
    await optimizer.sync();
    await optimizer.step(() => slope(x), false, [x]);
    expect(valuesOf(x)).toEqual([99]); // 100 → 99 → (98 → 99)
  });

  test('gradients that are all null are no step', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 1, workers: 0 });
    optimizer.applyGradients([]);
    optimizer.applyGradients([{ name: x.name, tensor: null as never }]);
    expect(optimizer.iterations).toBe(0);
    optimizer.applyGradients([{ name: x.name, tensor: tf.ones([1]) }]);
    expect([optimizer.iterations, valuesOf(x)]).toEqual([1, [-1]]);
  });

  test('a weight listed twice, or without elements, is no trouble', async () => {
    const [x, y] = [tf.variable(tf.tensor1d([0])), tf.variable(tf.zeros([0]))];
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 1, workers: 0 });
    await optimizer.step(() => tf.add(slope(x), slope(y)), false, [x, y, x]);
    await optimizer.withSlowWeights(() => expect(valuesOf(x)).toEqual([-0.5]));
    expect(optimizer.stats().host.slowBytes).toBe(4);
  });
});
