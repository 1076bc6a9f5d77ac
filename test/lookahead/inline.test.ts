// sync: 'inline': syncs without waiting, for loops that others own.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, adaptive, lookahead, type LookaheadOptions, momentum, sgd } from 'slowlane';
import { afterEach, describe, expect, test } from 'vitest';

import { halfSquare, noise, onEveryEngine, read, slowOf, valuesOf } from '../engines.js';
import { failToWrite } from '../failing-device.js';

/** As tf.data makes it, which is no dependency of ours. */
function oneBatch(xs: tf.Tensor, ys: tf.Tensor): never {
  const iterator = () => {
    const batches = [{ xs: xs.clone(), ys: ys.clone() }]; // TensorFlow.js disposes them
    return Promise.resolve({
      next: () => {
        const value = batches.pop() ?? null;
        return Promise.resolve({ done: value === null, value });
      },
    });
  };
  return { iterator, size: 1 } as never;
}

onEveryEngine(() => {
  const SHAPES = [[64, 65], [7], [3, 1400]];
  const inline = { syncPeriod: 2, slowStepSize: 0.3, workers: 0, sync: 'inline' } as const;

  /** Seven steps; afterwards the weights, and all that is saved. */
  const train = async (
    inner: tf.Optimizer,
    options: LookaheadOptions,
    how: 'step' | 'minimize' | 'applyGradients',
  ) => {
    const weights = SHAPES.map((shape, i) =>
      tf.tidy(() => tf.variable(noise(shape, i + 1), true, `inline-${i}`)),
    );
    const optimizer = lookahead(inner, options);
    const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
    for (let i = 0; i < 7; i++) {
      if (how === 'minimize') optimizer.minimize(loss, false, weights);
      else if (how === 'step') await optimizer.step(loss, false, weights);
      else {
        const { value, grads } = tf.variableGrads(loss, weights);
        optimizer.applyGradients(grads);
        tf.dispose([value, ...Object.values(grads)]);
      }
    }
    expect(optimizer.stats()).toMatchObject({ syncs: 3, steps: 7 });
    const saved = await optimizer.getWeights();
    const result = {
      weights: await Promise.all(weights.map(read)),
      saved: await Promise.all(saved.map(async ({ tensor }) => [...(await tensor.data())])),
      bytes: optimizer.stats().bytesPulled,
    };
    optimizer.dispose();
    tf.dispose(weights);
    return result;
  };

  test.each<[string, () => tf.Optimizer, LookaheadOptions]>([
    ['float32 in chunks', () => adam({ learningRate: 0.1 }), { chunkBytes: 1024 }],
    ['f16r8', () => adam({ learningRate: 0.1 }), { slow: 'host:f16r8' }],
    ['int8', () => momentum({ learningRate: 0.1, momentum: 0.9 }), { slow: 'host:int8' }],
    ['on the device', () => adam({ learningRate: 0.1 }), { slow: 'device:f32' }],
    [
      'in two places, one weight excluded',
      () => adam({ learningRate: 0.1 }),
      {
        overrides: [
          { weights: 'inline-0', slow: 'device:f32' },
          { weights: 'inline-1', exclude: true },
        ],
      },
    ],
    ['interpolate', () => adam({ learningRate: 0.1 }), { innerState: 'interpolate' }],
    ['reset', () => adam({ learningRate: 0.1 }), { innerState: 'reset' }],
    ['a schedule', () => sgd({ learningRate: 0.1 }), { slowStepSize: (sync) => 0.5 / (sync + 1) }],
    ['tf.train.adam', () => tf.train.adam(0.1), {}],
  ])('the same bits as syncs that are awaited: %s', async (_, inner, more) => {
    const options = { ...inline, ...more };
    const awaited = await train(inner(), { ...options, sync: 'awaited' }, 'step');
    expect(await train(inner(), options, 'minimize')).toEqual(awaited);
    expect(await train(inner(), options, 'step')).toEqual(awaited);
    expect(await train(inner(), options, 'applyGradients')).toEqual(awaited);
  });

  test('micro-batches: the sync follows the step that they make', () => {
    const x = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1, accumulate: 2 }), {
      ...inline,
      slowStepSize: 0.5,
    });
    const loss = () => tf.sum(x) as tf.Scalar;
    for (let i = 0; i < 3; i++) optimizer.minimize(loss, false, [x]);
    expect(valuesOf(x)).toEqual([-1]);
    optimizer.completeStep(); // half a gradient: −1.5, and half of the way back
    expect(valuesOf(x)).toEqual([-0.75]);
  });

  test('fitDataset and fit without callbacks, one batch a call, end where step() does', async () => {
    const run = async (sync: 'inline' | 'awaited') => {
      const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [2] })] });
      tf.tidy(() => model.setWeights([tf.ones([2, 1]), tf.zeros([1])]));
      const optimizer = lookahead(adam({ learningRate: 0.1 }), { ...inline, sync });
      model.compile({ optimizer, loss: 'meanSquaredError' });
      const [xs, ys] = [noise([4, 2], 1), noise([4, 1], 2)];
      const callbacks = sync === 'awaited' ? { callbacks: optimizer.callbacks() } : {};
      for (let i = 0; i < 5; i++) {
        await model.fitDataset(oneBatch(xs, ys), { epochs: 1, verbose: 0, ...callbacks });
        await model.fit(xs, ys, { batchSize: 4, shuffle: false, verbose: 0, ...callbacks });
      }
      return model.getWeights().map(valuesOf);
    };
    expect(await run('inline')).toEqual(await run('awaited'));
  });

  describe('a NaN in the second step', () => {
    const spoil = (nonFinite: 'throw' | 'skip' | 'restore') => {
      const x = tf.variable(tf.tensor1d([4]));
      const optimizer = lookahead(momentum({ learningRate: 1, momentum: 0.9 }), {
        ...inline,
        innerState: 'interpolate',
        nonFinite,
      });
      optimizer.minimize(() => tf.sum(x), false, [x]);
      const second = () => optimizer.minimize(() => tf.sum(tf.mul(x, NaN)), true, [x]);
      return { x, optimizer, second };
    };

    test("'throw': the step throws, the slow weights are as they were, and discard() goes back", async () => {
      const { x, optimizer, second } = spoil('throw');
      const { numTensors } = tf.memory();
      expect(second).toThrow(/after step 2.*discard\(\)/s);
      expect(tf.memory().numTensors).toBe(numTensors); // the cost is freed
      expect(optimizer.due).toBe(true);
      await optimizer.discard();
      expect(valuesOf(x)).toEqual([4]);
      optimizer.minimize(() => tf.sum(x), false, [x]);
      expect(valuesOf(x)).toEqual([3]);
    });

    test("'skip': the sync is left out, and the next cycle begins", () => {
      const { x, optimizer, second } = spoil('skip');
      second()?.dispose();
      expect([valuesOf(x), optimizer.due]).toEqual([[NaN], false]);
      expect(optimizer.stats()).toMatchObject({ skippedSyncs: 1, syncs: 0 });
    });

    test("'restore': back to 4, and the momentum begins at 0", () => {
      const { x, optimizer, second } = spoil('restore');
      second()?.dispose();
      expect([valuesOf(x), optimizer.due]).toEqual([[4], false]);
      optimizer.minimize(() => tf.sum(x), false, [x]);
      expect(valuesOf(x)).toEqual([3]);
    });
  });

  test('a device that fails in an inline sync: sync() does the rest, to the bits of a sync that went well', async () => {
    const run = async (isFailing: boolean) => {
      const x = [1, 2].map((seed) => tf.tidy(() => tf.variable(noise([40], seed))));
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { ...inline, chunkBytes: 64 });
      const loss = () => tf.addN(x.map(halfSquare)) as tf.Scalar;
      optimizer.minimize(loss, false, x);
      const second = () => optimizer.minimize(loss, false, x);
      if (isFailing) {
        const putBack = failToWrite(x[1] as tf.Variable);
        expect(second).toThrow('the device failed');
        putBack();
        expect(() => optimizer.minimize(loss, false, x)).toThrow(/sync\(\)/);
        await optimizer.sync();
      } else second();
      return [x.map(valuesOf), await slowOf(optimizer)];
    };
    expect(await run(true)).toEqual(await run(false));
  });

  describe('a sync that fails after a step: the error says which weights the step has moved', () => {
    const TAKEN = {
      code: 'NON_FINITE',
      message: expect.stringMatching(
        /The step itself was taken, and 2 weights have their new values \('a', 'b'\): do not/,
      ) as unknown,
      details: { changed: 2, of: 2, changedWeights: ['a', 'b'], weight: 'a', step: 1 },
    };
    afterEach(() => tf.disposeVariables());
    const make = (inner: tf.Optimizer, sync: 'inline' | 'awaited' = 'inline') => {
      const [a, b] = ['a', 'b'].map((name) => tf.variable(tf.tensor1d([4]), true, name));
      const optimizer = lookahead(inner, { syncPeriod: 1, sync, workers: 0 });
      return { a: a as tf.Variable, b: b as tf.Variable, optimizer };
    };
    const INNER: [string, () => tf.Optimizer][] = [
      ['sgd', () => sgd({ learningRate: 1 })],
      ['tf.train.sgd', () => tf.train.sgd(1)],
    ];

    test.each(INNER)('applyGradients() with %s', (_, inner) => {
      const { optimizer } = make(inner());
      const gradients = { a: tf.tensor1d([NaN]), b: tf.tensor1d([1]) };
      expect(() => optimizer.applyGradients(gradients)).toThrow(expect.objectContaining(TAKEN));
      expect(optimizer.iterations).toBe(1);
    });

    test.each(INNER)('minimize() and step() with %s', async (_, inner) => {
      for (const sync of ['inline', 'awaited'] as const) {
        const { a, b, optimizer } = make(inner(), sync);
        const loss = () => tf.add(tf.sum(tf.mul(a, NaN)), tf.sum(b)) as tf.Scalar;
        await expect(optimizer.step(loss, false, [a, b])).rejects.toMatchObject(TAKEN);
        expect([optimizer.iterations, valuesOf(b)]).toEqual([1, [3]]);
        tf.dispose([a, b]);
      }
      const { a, b, optimizer } = make(inner());
      const loss = () => tf.add(tf.sum(tf.mul(a, NaN)), tf.sum(b)) as tf.Scalar;
      expect(() => optimizer.minimize(loss, false, [a, b])).toThrow(expect.objectContaining(TAKEN));
    });

    test('completeStep(), also of a weight whose gradient an earlier micro-batch gave', () => {
      const { a, b, optimizer } = make(sgd({ learningRate: 1, accumulate: 3 }));
      optimizer.minimize(() => tf.sum(tf.mul(a, NaN)), false, [a]);
      optimizer.minimize(() => tf.sum(b), false, [b]);
      expect(() => optimizer.completeStep()).toThrow(expect.objectContaining(TAKEN));
      expect(optimizer.iterations).toBe(1);
    });

    test('the last micro-batch of a step moves the weights of the others too', () => {
      const { a, b, optimizer } = make(sgd({ learningRate: 1, accumulate: 2 }));
      optimizer.minimize(() => tf.sum(tf.mul(a, NaN)), false, [a]);
      expect(() => optimizer.minimize(() => tf.sum(b), false, [b])).toThrow(
        expect.objectContaining({
          details: {
            ...TAKEN.details,
            changedWeights: expect.arrayContaining(['a', 'b']) as unknown,
          },
        }),
      );
    });
  });

  test.each<[string, () => unknown, RegExp]>([
    [
      'adaptive()',
      () => lookahead(adam(), { sync: 'inline', slowStepSize: adaptive() }),
      /sync 'inline' cannot be used with adaptive\(\)/,
    ],
    [
      "'reset' with tf.train.adam",
      () => lookahead(tf.train.adam(), { sync: 'inline', innerState: 'reset' }),
      /sync 'inline' with innerState 'reset'/,
    ],
    ['an unknown value', () => lookahead(adam(), { sync: 'now' as never }), /sync/],
  ])('refused at once: %s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});
