// Frozen weights are never moved, and weights that others replaced are never used unasked.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, lookahead, momentum, sgd } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { noise, onEveryEngine, slowOf, valuesOf } from '../../engines.js';
import { failToWrite } from '../../failing-device.js';

onEveryEngine(() => {
  const slope = (...x: tf.Variable[]) => tf.addN(x.map((w) => tf.sum(w))) as tf.Scalar;
  const variable = (value: number) => tf.tidy(() => tf.variable(tf.tensor1d([value])));
  const assign = (x: tf.Variable, value: number) =>
    tf.tidy(() => x.assign(tf.fill(x.shape, value)));

  describe('a layer of a model', () => {
    const make = () => {
      const body = tfl.layers.dense({ units: 4, inputShape: [3] });
      const model = tfl.sequential({ layers: [body, tfl.layers.dense({ units: 1 })] });
      const optimizer = lookahead(adam({ learningRate: 0.05 }), { workers: 0 });
      const compile = () => model.compile({ optimizer, loss: 'meanSquaredError' });
      compile();
      const [x, y] = [noise([40, 3], 1), noise([40, 1], 2)];
      const fit = (epochs: number) =>
        model.fit(x, y, { epochs, batchSize: 8, verbose: 0, callbacks: optimizer.callbacks() });
      const kernel = () => valuesOf(body.getWeights()[0] as tf.Tensor);
      return { body, model, optimizer, compile, fit, kernel, x, y };
    };

    test('gets pretrained weights and is frozen: fit, finish, discard and a swap leave 7 at 7', async () => {
      const { body, model, optimizer, compile, fit, kernel } = make();
      await fit(1); // 5 steps: one cycle
      tf.tidy(() => body.setWeights([tf.fill([3, 4], 7), tf.fill([4], 7)]));
      body.trainable = false;
      compile();
      const sevens = Array.from({ length: 12 }, () => 7);
      await fit(2);
      expect(kernel()).toEqual(sevens);
      await optimizer.withSlowWeights(() => expect(kernel()).toEqual(sevens));
      await optimizer.discard();
      await optimizer.finish();
      expect(kernel()).toEqual(sevens);
      body.trainable = true; // the slow weights are 7 too from here on
      compile();
      await optimizer.attach(model);
      await optimizer.withSlowWeights(() => expect(kernel()).toEqual(sevens));
    });

    test('frozen in mid-cycle it stays as it is; unfrozen, its cycle goes on', async () => {
      const { body, model, optimizer, compile, fit, kernel, x, y } = make();
      const first = kernel();
      await model.trainOnBatch(x, y);
      const stepped = kernel();
      body.trainable = false;
      compile();
      await fit(1);
      await optimizer.finish();
      expect(kernel()).toEqual(stepped);
      body.trainable = true;
      compile();
      await optimizer.attach(model);
      await optimizer.withSlowWeights(() => expect(kernel()).toEqual(first));
    });

    test('three models deep, where TensorFlow.js leaves the variables trainable', async () => {
      const around = (layer: tfl.layers.Layer) => {
        const input = tfl.input({ shape: [2] });
        return tfl.model({ inputs: input, outputs: layer.apply(input) as tfl.SymbolicTensor });
      };
      const inner = around(tfl.layers.dense({ units: 2 }));
      const middle = around(inner);
      const input = tfl.input({ shape: [2] });
      const head = tfl.layers.dense({ units: 1 });
      const outputs = head.apply(middle.apply(input)) as tfl.SymbolicTensor;
      const model = tfl.model({ inputs: input, outputs });
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2, workers: 0 });
      const compile = () => model.compile({ optimizer, loss: 'meanSquaredError' });
      const [x, y] = [noise([8, 2], 1), noise([8, 1], 2)];
      const fit = () =>
        model.fit(x, y, { batchSize: 8, verbose: 0, callbacks: optimizer.callbacks() });
      compile();
      await fit(); // 1 step of a cycle of 2
      middle.trainable = false;
      compile();
      const kernel = () => valuesOf(inner.getWeights()[0] as tf.Tensor);
      const before = kernel();
      await fit();
      expect(kernel()).toEqual(before);
    });
  });

  test('a sync passes a frozen weight by, its slots too: 0 −1 (−2, frozen) → −2, unfrozen −3 → (0 − 3)/2', async () => {
    const [x, y] = [variable(0), variable(0)];
    const options = { syncPeriod: 2, workers: 0, innerState: 'interpolate' } as const;
    const optimizer = lookahead(momentum({ learningRate: 1, momentum: 0 }), options);
    const loss = () => slope(x, y);
    for (let i = 0; i < 2; i++) {
      optimizer.minimize(loss, false, [x, y]);
    }
    x.trainable = false;
    await optimizer.sync();
    expect([valuesOf(x), valuesOf(y)]).toEqual([[-2], [-1]]);
    expect(await slowOf(optimizer)).toEqual([[0], [-1]]);
    expect(optimizer.stats().bytesPulled).toBe(8); // y and its slot
    x.trainable = true;
    await optimizer.step(loss, false, [x, y]);
    await optimizer.sync({ early: true });
    expect([valuesOf(x), valuesOf(y)]).toEqual([[-1.5], [-1.5]]);
  });

  test.each(['host:f32', 'host:f16r8', 'host:int8', 'device:f32'] as const)(
    '%s: the slow values of a frozen weight keep their bits over 5 syncs',
    async (slow) => {
      const [x, y] = [1, 2].map((seed) => tf.tidy(() => tf.variable(noise([70, 64], seed))));
      const weights = [x, y] as tf.Variable[];
      const optimizer = lookahead(sgd({ learningRate: 1e-3 }), { slow, syncPeriod: 1, workers: 0 });
      await optimizer.step(() => slope(...weights), false, weights);
      const [before] = await slowOf(optimizer);
      (x as tf.Variable).trainable = false;
      const fast = valuesOf(x as tf.Variable);
      for (let i = 0; i < 5; i++) await optimizer.step(() => slope(...weights), false, weights);
      expect((await slowOf(optimizer))[0]).toEqual(before);
      expect(valuesOf(x as tf.Variable)).toEqual(fast);
      optimizer.dispose();
    },
  );

  test('micro-batches taken before a freeze do not move the weight', async () => {
    const [x, y] = [variable(0), variable(0)];
    const optimizer = sgd({ learningRate: 1, accumulate: 2 });
    optimizer.minimize(() => slope(x, y), false, [x, y]);
    x.trainable = false;
    optimizer.minimize(() => slope(x, y), false, [x, y]);
    expect([valuesOf(x), valuesOf(y)]).toEqual([[0], [-1]]);
  });

  test('a gradient for a frozen weight is refused', () => {
    const x = variable(0);
    const optimizer = lookahead(sgd({ learningRate: 1 }));
    x.trainable = false;
    const give = () => optimizer.applyGradients({ [x.name]: tf.ones([1]) });
    expect(give).toThrow(/is frozen/);
    expect([valuesOf(x), optimizer.iterations]).toEqual([[0], 0]);
  });

  test('a weight that trains between syncs and is frozen at each of them is refused at the second', async () => {
    const [x, y] = [variable(0), variable(0)];
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 1, workers: 0 });
    const step = () => {
      x.trainable = true;
      optimizer.minimize(() => slope(x, y), false, [x, y]);
      x.trainable = false;
    };
    step();
    await optimizer.sync(); // y: half of the way to -1
    expect([valuesOf(x), valuesOf(y)]).toEqual([[-1], [-0.5]]);
    step();
    for (const call of [() => optimizer.sync(), () => optimizer.finish()]) {
      await expect(call()).rejects.toMatchObject({
        code: 'WEIGHTS_FROZEN',
        details: { weights: [x.name] },
      });
      expect([valuesOf(x), valuesOf(y), optimizer.due]).toEqual([[-2], [-1.5], true]);
    }
    x.trainable = true;
    await optimizer.sync(); // x: from 0 half of the way to -2; y: from -0.5 half of the way to -1.5
    expect([valuesOf(x), valuesOf(y)]).toEqual([[-1], [-1]]);
    step(); // after a sync that x took part in, one may be missed again
    await optimizer.sync();
    expect([valuesOf(x), valuesOf(y)]).toEqual([[-2], [-1.5]]);
  });

  describe('replaced weights', () => {
    const stepped = async (options: Parameters<typeof lookahead>[1] = {}) => {
      const x = variable(0);
      const optimizer = lookahead(sgd({ learningRate: 1 }), {
        syncPeriod: 2,
        workers: 0,
        ...options,
      });
      await optimizer.step(() => slope(x), false, [x]);
      return { x, optimizer };
    };

    test('are refused by each call that would move or save them, which changes nothing', async () => {
      const { x, optimizer } = await stepped();
      assign(x, 100);
      const replaced = { code: 'WEIGHTS_REPLACED', details: { weights: [x.name] } };
      const loss = () => slope(x);
      for (const call of [
        () => optimizer.step(loss, false, [x]),
        async () => optimizer.minimize(loss, false, [x]),
        async () => optimizer.applyGradients({ [x.name]: tf.ones([1]) }),
        () => optimizer.sync(),
        () => optimizer.sync({ early: true }),
        () => optimizer.finish(),
        () => optimizer.withSlowWeights(() => {}),
        () => optimizer.getWeights(),
        () => optimizer.attach([x]),
      ]) {
        await expect(call()).rejects.toMatchObject(replaced);
        expect([valuesOf(x), optimizer.iterations]).toEqual([[100], 1]);
      }
      expect(() => optimizer.minimize(loss)).toThrow(/resync\(\).*discard\(\)/s);
      await optimizer.discard();
      expect(valuesOf(x)).toEqual([0]);
      await optimizer.step(loss, false, [x]);
      expect(valuesOf(x)).toEqual([-1]);
    });

    test("'resync': 0 → −1, 100 → 99 → (100 + 99)/2", async () => {
      const { x, optimizer } = await stepped({ replaced: 'resync' });
      assign(x, 100);
      optimizer.minimize(() => slope(x), false, [x]);
      await optimizer.sync();
      expect(valuesOf(x)).toEqual([99.5]);
    });

    test("'ignore': 0 → −1, 100 → 99 → (0 + 99)/2", async () => {
      const { x, optimizer } = await stepped({ replaced: 'ignore' });
      assign(x, 100);
      await optimizer.step(() => slope(x), false, [x]);
      expect(valuesOf(x)).toEqual([49.5]);
    });

    test('only the replaced weight is resynced, and its slots with it', async () => {
      const [x, y] = [variable(0), variable(0)];
      const optimizer = lookahead(momentum({ learningRate: 1, momentum: 0.5 }), {
        syncPeriod: 2,
        workers: 0,
        innerState: 'interpolate',
        replaced: 'resync',
      });
      const loss = () => slope(x, y);
      for (let i = 0; i < 3; i++) await optimizer.step(loss, false, [x, y]);
      assign(x, 100);
      await optimizer.step(loss, false, [x, y]);
      const [ofX, ofY] = [valuesOf(x)[0] as number, valuesOf(y)[0] as number];
      expect(await slowOf(optimizer)).toEqual([[ofX], [ofY]]);
      expect(ofX).toBeGreaterThan(95);
      expect(ofY).toBeGreaterThan(-5);
    });

    test('a second optimizer of ours on the same weights is noticed', async () => {
      const { x, optimizer } = await stepped();
      const second = sgd({ learningRate: 1 });
      second.minimize(() => slope(x), false, [x]);
      await expect(optimizer.sync()).rejects.toMatchObject({ code: 'WEIGHTS_REPLACED' });
    });

    test('inside withSlowWeights: refused afterwards with the fast weights back, or kept', async () => {
      const { x, optimizer } = await stepped();
      const inside = () => assign(x, 100);
      const lost = { code: 'WEIGHTS_REPLACED', message: expect.stringMatching(/are lost/) };
      await expect(optimizer.withSlowWeights(inside)).rejects.toMatchObject(lost);
      expect(valuesOf(x)).toEqual([-1]);
      const { x: kept, optimizer: other } = await stepped({ replaced: 'resync' });
      await other.withSlowWeights(() => assign(kept, 100));
      expect(valuesOf(kept)).toEqual([100]);
      await other.finish();
      expect(valuesOf(kept)).toEqual([100]);
    });

    test('after a sync that broke off nothing of it goes on over them', async () => {
      const { x, optimizer } = await stepped();
      optimizer.minimize(() => slope(x), false, [x]);
      const putBack = failToWrite(x);
      await expect(optimizer.sync()).rejects.toThrow('the device failed');
      putBack();
      assign(x, 100);
      await expect(optimizer.sync()).rejects.toMatchObject({ code: 'WEIGHTS_REPLACED' });
      await expect(optimizer.finish()).rejects.toMatchObject({ code: 'WEIGHTS_REPLACED' });
      expect(valuesOf(x)).toEqual([100]);
      await optimizer.discard();
      expect(valuesOf(x)).toEqual([-1]); // the slow weight was blended: 0 → (0 − 2)/2
    });

    test('a freeze while a sync is broken off is refused until it is over', async () => {
      const { x, optimizer } = await stepped();
      optimizer.minimize(() => slope(x), false, [x]);
      const putBack = failToWrite(x);
      await expect(optimizer.sync()).rejects.toThrow('the device failed');
      putBack();
      x.trainable = false;
      await expect(optimizer.sync()).rejects.toThrow(/was frozen before a sync/);
      expect(valuesOf(x)).toEqual([-2]);
      x.trainable = true;
      await optimizer.sync();
      expect(valuesOf(x)).toEqual([-1]);
    });
  });
});
