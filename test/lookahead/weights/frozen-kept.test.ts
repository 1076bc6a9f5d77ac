// What is known of frozen and replaced weights outlives forget(), loadTraining() and setWeights().

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import {
  adaptive,
  loadTraining,
  lookahead,
  type LookaheadOptions,
  saveTraining,
  sgd,
} from 'slowlane';
import { beforeAll, describe, expect, test } from 'vitest';

import { valuesOf } from '../../engines.js';

const variable = (value: number) => tf.tidy(() => tf.variable(tf.tensor1d([value])));
const assign = (x: tf.Variable, value: number) => tf.tidy(() => x.assign(tf.tensor1d([value])));
const slope = (...x: tf.Variable[]) => tf.addN(x.map((w) => tf.sum(w))) as tf.Scalar;
const make = (options: LookaheadOptions = {}) =>
  lookahead(sgd({ learningRate: 1 }), { syncPeriod: 5, workers: 0, ...options });

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('a frozen layer of a Sequential, whose variables TensorFlow.js leaves trainable', () => {
  // The frozen bias: 0, one step to -1, then it stays there; its slow value is 0.
  const frozenBias = async () => {
    const layers = [
      tfl.layers.dense({ units: 1, inputShape: [1] }),
      tfl.layers.dense({ units: 1 }),
    ];
    const model = tfl.sequential({ layers });
    const optimizer = make();
    const compile = () => model.compile({ optimizer, loss: 'meanSquaredError' });
    compile();
    const bias = layers[1]?.weights[1]?.read() as tf.Variable;
    const spare = variable(0);
    const weights = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const loss = () => slope(...weights, spare);
    await optimizer.step(loss, false, [...weights, spare]);
    (layers[1] as tfl.layers.Layer).trainable = false;
    compile();
    await optimizer.attach(model);
    expect([valuesOf(bias), bias.trainable]).toEqual([[-1], true]);
    return { model, optimizer, bias, spare };
  };

  test.each(['forget', 'loadTraining', 'loadTraining of a list', 'setWeights'])(
    'stays at -1 after %s, with discard(), finish() and in a swap',
    async (kind) => {
      const { model, optimizer, bias, spare } = await frozenBias();
      await optimizer.forget([spare]);
      const list = model.weights.map((weight) => weight.read() as tf.Variable);
      if (kind.startsWith('loadTraining')) {
        const source = kind === 'loadTraining' ? model : list;
        await loadTraining(await saveTraining(optimizer, source), optimizer, source);
      } else if (kind === 'setWeights') {
        await optimizer.setWeights(await optimizer.getWeights());
        await optimizer.attach(list);
      }
      await optimizer.withSlowWeights(() => expect(valuesOf(bias)).toEqual([-1]));
      await optimizer.discard();
      await optimizer.finish();
      expect(valuesOf(bias)).toEqual([-1]);
    },
  );

  test('stays at -1 in a new optimizer, which knows the model from loadTraining() alone', async () => {
    const { model, optimizer, bias, spare } = await frozenBias();
    await optimizer.forget([spare]);
    const bytes = await saveTraining(optimizer, model);
    const resumed = make();
    await loadTraining(bytes, resumed, model);
    await resumed.finish();
    expect(valuesOf(bias)).toEqual([-1]);
  });
});

describe('forget() of one weight changes nothing that is known of the others', () => {
  test('loaded while frozen, 100 is the slow value when it trains again: 99 98 → 99', async () => {
    const [a, b, c] = [variable(0), variable(0), variable(0)];
    const optimizer = make({ syncPeriod: 2 });
    await optimizer.step(() => slope(a, b, c), false, [a, b, c]);
    await optimizer.step(() => slope(a, b, c), false, [a, b, c]);
    b.trainable = false;
    await optimizer.step(() => slope(a), false, [a]);
    assign(b, 100);
    await optimizer.forget([c]);
    await optimizer.step(() => slope(a), false, [a]);
    b.trainable = true;
    for (let i = 0; i < 2; i++) await optimizer.step(() => slope(a, b), false, [a, b]);
    expect(valuesOf(b)).toEqual([99]);
  });

  test('a weight that took no step may still be loaded: 100 is θ₀, and -1 of it a step', async () => {
    const [a, b] = [variable(0), variable(0)];
    const optimizer = make();
    await optimizer.attach([a, b]);
    await optimizer.forget([b]);
    assign(a, 100);
    await optimizer.step(() => slope(a), false, [a]);
    expect(valuesOf(a)).toEqual([99]);
    await optimizer.finish();
    expect(valuesOf(a)).toEqual([99.5]); // (100 + 99) / 2
  });

  test('a weight that misses its second sync in a row is refused also if forget() came between', async () => {
    const [a, b, c] = [variable(0), variable(0), variable(0)];
    const optimizer = make({ syncPeriod: 1 });
    const step = async () => {
      b.trainable = true;
      optimizer.minimize(() => slope(a, b), false, [a, b]);
      b.trainable = false;
      await optimizer.sync();
    };
    await optimizer.attach([c]);
    await step();
    await optimizer.forget([c]);
    await expect(step()).rejects.toMatchObject({ code: 'WEIGHTS_FROZEN' });
  });
});

describe('restored slow values', () => {
  const frozenAfterStep = async (options: LookaheadOptions = {}) => {
    const [a, b] = [variable(0), variable(0)];
    const optimizer = make(options);
    await optimizer.step(() => slope(a, b), false, [a, b]);
    b.trainable = false;
    return { a, b, optimizer };
  };

  test('of a weight that is unfrozen after the load are its end: -1 goes back to 0', async () => {
    const { a, b, optimizer } = await frozenAfterStep();
    const resumed = make();
    await loadTraining(await saveTraining(optimizer, [a, b]), resumed, [a, b]);
    b.trainable = true;
    await resumed.discard();
    expect([valuesOf(a), valuesOf(b)]).toEqual([[0], [0]]);
  });

  test('of a weight that was loaded while frozen are what it was loaded with: 100 99 98 → 99', async () => {
    const { a, b, optimizer } = await frozenAfterStep({ syncPeriod: 2 });
    assign(b, 100);
    await optimizer.step(() => slope(a), false, [a]);
    const resumed = make({ syncPeriod: 2 });
    await loadTraining(await saveTraining(optimizer, [a, b]), resumed, [a, b]);
    b.trainable = true;
    for (let i = 0; i < 2; i++) await resumed.step(() => slope(a, b), false, [a, b]);
    expect(valuesOf(b)).toEqual([99]);
  });

  test('of weights that are all frozen meet them in attach(): discard() leaves both at -1', async () => {
    const { a, b, optimizer } = await frozenAfterStep();
    const resumed = make();
    await resumed.setWeights(await optimizer.getWeights());
    a.trainable = false;
    await resumed.attach([a, b]);
    await resumed.withSlowWeights(() => expect(valuesOf(a)).toEqual([-1]));
    await resumed.discard();
    expect([valuesOf(a), valuesOf(b)]).toEqual([[-1], [-1]]);
    a.trainable = true;
    await resumed.finish();
    expect([valuesOf(a), valuesOf(b)]).toEqual([[0], [-1]]);
  });

  test('that have met their weight in attach(): a weight that is replaced then is refused', async () => {
    const { a, b, optimizer } = await frozenAfterStep();
    const resumed = make();
    await resumed.setWeights(await optimizer.getWeights());
    b.trainable = true;
    await resumed.attach([a, b]);
    assign(a, 100);
    await expect(resumed.step(() => slope(a), false, [a])).rejects.toMatchObject({
      code: 'WEIGHTS_REPLACED',
      details: { weights: [a.name] },
    });
  });
});

describe('a NaN that something else has put into a weight is never captured as its slow value', () => {
  const stepped = async (options: LookaheadOptions = {}) => {
    const [a, b] = [variable(0), variable(0)];
    const optimizer = make(options);
    const loss = () => slope(a, b);
    await optimizer.step(loss, false, [a, b]);
    return { a, b, optimizer, loss };
  };
  const refused = (x: tf.Variable) => ({
    code: 'NON_FINITE',
    details: { weight: x.name, step: 1 },
  });

  test.each(["replaced: 'resync'", 'unfrozen', 'loaded before its first step'])(
    '%s: each call refuses it and changes nothing, finite values or discard() help',
    async (kind) => {
      const { a, b, optimizer, loss } = await stepped(
        kind === 'unfrozen' ? {} : { replaced: 'resync' },
      );
      const c = variable(5);
      await optimizer.attach([c]);
      const x = kind.startsWith('loaded') ? c : b;
      if (kind === 'unfrozen') {
        x.trainable = false;
        await optimizer.sync();
      }
      assign(x, NaN);
      x.trainable = true;
      const [before] = valuesOf(a);
      for (const call of [
        () => optimizer.sync(),
        () => optimizer.step(loss, false, [a, b]),
        async () => optimizer.minimize(loss, false, [a, b]),
        () => optimizer.finish(),
        () => optimizer.withSlowWeights(() => {}),
        () => optimizer.getWeights(),
      ]) {
        await expect(call()).rejects.toMatchObject(refused(x));
        expect([valuesOf(a), valuesOf(x), optimizer.iterations]).toEqual([[before], [NaN], 1]);
      }
      assign(x, 100);
      await optimizer.withSlowWeights(() => expect(valuesOf(x)).toEqual([100]));
      assign(x, NaN);
      await optimizer.discard();
      expect([valuesOf(a), valuesOf(x)]).toEqual([[0], [100]]);
    },
  );
});

test.each(['resync', 'ignore'] as const)(
  "adaptive() with replaced: '%s' refuses a gradient at weights that have been changed since",
  async (replaced) => {
    const [a, b] = [variable(0), variable(0)];
    const slowStepSize = adaptive({ curvature: () => tf.tensor1d([2]) });
    const optimizer = make({ syncPeriod: 2, slowStepSize, replaced });
    const loss = () => tf.square(tf.sub(slope(a, b), 3)) as tf.Scalar;
    for (let i = 0; i < 2; i++) optimizer.minimize(loss, false, [a, b]);
    assign(a, 6);
    await expect(optimizer.sync()).rejects.toMatchObject({ code: 'NO_GRADIENT' });
    expect(valuesOf(a)).toEqual([6]);
    await optimizer.resync();
    await optimizer.finish();
    expect(valuesOf(a)).toEqual([6]);
  },
);
