// Inside tfjs: fit, fitDataset, trainOnBatch, and the calls that would go wrong.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, adaptive, Lookahead, lookahead, sgd } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { noise, onEveryEngine, valuesOf } from '../engines.js';

const BATCHES = 7;

function makeModel(): tfl.Sequential {
  const dense = (units: number, seed: number, inputShape?: number[]) =>
    tfl.layers.dense({
      units,
      kernelInitializer: tfl.initializers.glorotUniform({ seed }),
      ...(inputShape && { inputShape }),
    });
  return tfl.sequential({ layers: [dense(5, 1, [3]), dense(1, 2)] });
}

const weightsOf = (model: tfl.LayersModel) => model.getWeights().map(valuesOf);

onEveryEngine(() => {
  const batch = (i: number) => ({ xs: noise([4, 3], 10 + i), ys: noise([4, 1], 50 + i) });
  const whole = () => {
    const batches = Array.from({ length: BATCHES }, (_, i) => batch(i));
    return { x: tf.concat(batches.map(({ xs }) => xs)), y: tf.concat(batches.map(({ ys }) => ys)) };
  };

  /** The same training by hand, with step(). */
  async function byHand(epochs: number): Promise<number[][]> {
    const model = makeModel();
    const optimizer = lookahead(adam({ learningRate: 0.05 }), { syncPeriod: 3, workers: 0 });
    const weights = model.trainableWeights.map((w) => w.read() as tf.Variable);
    for (let n = 0; n < epochs * BATCHES; n++) {
      const { xs, ys } = batch(n % BATCHES);
      const loss = () =>
        tf.mean(tf.squaredDifference(model.apply(xs) as tf.Tensor, ys)) as tf.Scalar;
      await optimizer.step(loss, false, weights);
    }
    await optimizer.finish();
    return weightsOf(model);
  }

  const compiled = () => {
    const model = makeModel();
    const optimizer = lookahead(adam({ learningRate: 0.05 }), { syncPeriod: 3, workers: 0 });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    return { model, optimizer };
  };

  test('fit with callbacks() is the training by hand, leaks nothing, and its loss falls', async () => {
    const { model, optimizer } = compiled();
    const { x, y } = whole();
    const fit = { epochs: 1, batchSize: 4, shuffle: false, verbose: 0 } as const;
    const history = await model.fit(x, y, { ...fit, callbacks: optimizer.callbacks() });
    const { numTensors } = tf.memory();
    const more = await model.fit(x, y, { ...fit, epochs: 2, callbacks: optimizer.callbacks() });
    expect(tf.memory().numTensors).toBe(numTensors);
    await optimizer.finish();
    expect(weightsOf(model)).toEqual(await byHand(3));
    expect(more.history['loss']?.at(-1)).toBeLessThan(history.history['loss']?.[0] as number);
    model.predict(x);
    await optimizer.withSlowWeights(() => model.evaluate(x, y));
  });

  test('fitDataset with callbacks() is the training by hand', async () => {
    const { model, optimizer } = compiled();
    const dataset = {
      iterator: async () => {
        let i = 0;
        return {
          next: async () =>
            i < BATCHES ? { done: false, value: batch(i++) } : { done: true, value: null },
        };
      },
      size: BATCHES,
    };
    await model.fitDataset(dataset as never, {
      epochs: 2,
      verbose: 0,
      callbacks: optimizer.callbacks(),
    });
    await optimizer.finish();
    expect(weightsOf(model)).toEqual(await byHand(2));
  });

  test('trainOnBatch with sync() is the training by hand', async () => {
    const { model, optimizer } = compiled();
    for (let n = 0; n < 2 * BATCHES; n++) {
      const { xs, ys } = batch(n % BATCHES);
      tf.dispose(await model.trainOnBatch(xs, ys));
      await optimizer.sync();
    }
    await optimizer.finish();
    expect(weightsOf(model)).toEqual(await byHand(2));
  });

  test('fit without callbacks() throws at the step after the first cycle and says what to pass', async () => {
    const { model } = compiled();
    const { x, y } = whole();
    const fit = model.fit(x, y, { batchSize: 4, verbose: 0 });
    await expect(fit).rejects.toThrow(/callbacks: optimizer\.callbacks\(\)/);
  });

  test('finish() in mid-cycle takes the last steps in: φ = 0 − ½·(2 steps of 1), and nothing twice', async () => {
    const x = tf.tidy(() => tf.variable(tf.zeros([1])));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 5, workers: 0 });
    for (let i = 0; i < 2; i++) await optimizer.step(() => tf.sum(x), false, [x]);
    await optimizer.finish();
    expect([valuesOf(x), optimizer.stats().syncs]).toEqual([[-1], 1]);
    await optimizer.finish();
    expect(valuesOf(x)).toEqual([-1]);
    for (let i = 0; i < 5; i++) await optimizer.step(() => tf.sum(x), false, [x]); // a new cycle
    await optimizer.finish();
    expect([valuesOf(x), optimizer.stats().syncs]).toEqual([[-3.5], 2]);
  });

  test('finish() with adaptive() has no gradient in mid-cycle, and goes back to the last sync', async () => {
    const x = tf.tidy(() => tf.variable(tf.ones([1])));
    const curvature = () => tf.ones([1]);
    const slowStepSize = adaptive({ curvature });
    const optimizer = lookahead(sgd({ learningRate: 0.5 }), { syncPeriod: 5, slowStepSize });
    await optimizer.step(() => tf.sum(tf.square(x)), false, [x]);
    await optimizer.finish();
    expect([valuesOf(x), optimizer.stats().syncs]).toEqual([[1], 0]);
  });

  test('errors of its hooks name fit(), not the calls that they make', async () => {
    const { model, optimizer } = compiled();
    const { x, y } = whole();
    const fit = () =>
      model.fit(x, y, { batchSize: 4, verbose: 0, callbacks: optimizer.callbacks() });
    await fit();
    tf.tidy(() => model.setWeights(model.getWeights().map((weight) => tf.onesLike(weight))));
    await expect(fit()).rejects.toThrow(/^Before model\.fit\(\), something else had changed/);
    const swapped = optimizer.withSlowWeights(fit);
    await expect(swapped).rejects.toThrow(/^Before withSlowWeights\(\)/);
    await optimizer.resync();
    await expect(optimizer.withSlowWeights(fit)).rejects.toThrow(/^model\.fit\(\) was called/);
    optimizer.dispose();
    await expect(fit()).rejects.toThrow(/^model\.fit\(\) was called on a Lookahead that was dis/);
  });

  test('callbacks() of another optimizer are refused', async () => {
    const { model } = compiled();
    const { x, y } = whole();
    const other = lookahead(sgd({ learningRate: 0.1 }));
    const fit = model.fit(x, y, { batchSize: 4, verbose: 0, callbacks: other.callbacks() });
    await expect(fit).rejects.toThrow(/another optimizer/);
  });

  describe('callbacks() together with others', () => {
    test.each(['instances', 'plain objects first'])('%s', async (kind) => {
      const { model, optimizer } = compiled();
      const { x, y } = whole();
      let epochs = 0;
      const plain = { onEpochEnd: async () => void epochs++ };
      const stopping = tfl.callbacks.earlyStopping({ monitor: 'loss', patience: 99 });
      const callbacks =
        kind === 'instances'
          ? [...optimizer.callbacks(), stopping]
          : [plain, ...optimizer.callbacks()];
      await model.fit(x, y, {
        epochs: 2,
        batchSize: 4,
        shuffle: false,
        verbose: 0,
        callbacks: callbacks as never,
      });
      await optimizer.finish();
      expect(weightsOf(model)).toEqual(await byHand(2));
      expect(epochs).toBe(kind === 'instances' ? 0 : 2);
    });
  });

  test('a layer that is frozen, and later not, joins when it is first trained', async () => {
    const { model, optimizer } = compiled();
    const { x, y } = whole();
    const [first] = model.layers as [tfl.layers.Layer];
    first.trainable = false;
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const ofFirst = () => first.getWeights().map(valuesOf);
    const before = ofFirst();
    const fit = { epochs: 1, batchSize: 4, verbose: 0, callbacks: optimizer.callbacks() } as const;
    await model.fit(x, y, fit);
    expect(ofFirst()).toEqual(before);
    first.trainable = true;
    model.compile({ optimizer, loss: 'meanSquaredError' });
    await model.fit(x, y, { ...fit, callbacks: optimizer.callbacks() });
    expect(ofFirst()).not.toEqual(before);
    await optimizer.finish();
  });

  test('without a variable list the state of other optimizers is none of ours', async () => {
    const x = tf.variable(tf.tensor1d([1]));
    const other = tf.train.adam(0.1); // registers its own state as trainable variables
    const z = tf.variable(tf.tensor1d([5]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2, workers: 0 });
    for (let i = 0; i < 4; i++) {
      await optimizer.step(() => tf.sum(x));
      other.minimize(() => tf.sum(z), false, [z]);
    }
    const alone = tf.variable(tf.tensor1d([5]));
    const same = tf.train.adam(0.1);
    for (let i = 0; i < 4; i++) same.minimize(() => tf.sum(alone), false, [alone]);
    expect(valuesOf(z)).toEqual(valuesOf(alone));
    expect(valuesOf(x)).toEqual([-1]); // 1 0 (−1 → 0) −1 (−2 → −1)
    other.dispose();
    same.dispose();
  });

  test('model.dispose() after optimizer.dispose() leaves nothing, in either order of training', async () => {
    const { numTensors } = tf.memory();
    const { model, optimizer } = compiled();
    const { xs, ys } = batch(0);
    tf.dispose(await model.trainOnBatch(xs, ys)); // never captured
    optimizer.dispose();
    optimizer.dispose();
    expect(() => optimizer.minimize(() => tf.scalar(0))).toThrow(/disposed/);
    model.dispose();
    tf.dispose([xs, ys]);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(Lookahead.className).not.toContain('_');
  });
});
