// attach(model): all weights of a model are known, and restored values find theirs by its order.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, adaptive, lookahead, momentum, sgd, type SlowStepSize } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { checkModel } from '#src/lookahead/layers-model.js';
import type { LookaheadSettings } from '#src/lookahead/options.js';

import '../engines.js';
import { halfSquare, slowOf, valuesOf } from '../engines.js';
import { onCleanSlate } from '../optimizers/state/clean-slate.js';

onCleanSlate();

const modelOf = (name: string) =>
  tfl.sequential({
    layers: [tfl.layers.dense({ units: 1, inputShape: [1], useBias: false, name })],
  });
const weightsOf = (model: tfl.Sequential) =>
  model.weights.map((each) => each.read() as tf.Variable);
const loss = (weights: readonly tf.Variable[]) => () =>
  tf.addN(weights.map((w) => tf.sum(w))) as tf.Scalar;

test.each([
  ['ours', () => momentum({ learningRate: 1 })],
  ['tf.train.momentum', () => tf.train.momentum(1, 0.9)],
  ['one without state', () => sgd({ learningRate: 1 })],
])(
  'restored values, of the inner state too, where numbers decide nothing: %s',
  async (_, inner) => {
    const make = () => lookahead(inner(), { syncPeriod: 5, workers: 0 });
    const first = modelOf('dense_Dense1');
    const saving = make();
    await saving.step(loss(weightsOf(first)), false, weightsOf(first));
    const saved = (await saving.getWeights()).map(({ name, tensor }) => ({
      name,
      tensor: tensor.clone(),
    }));
    const slow = await slowOf(saving);
    const second = modelOf('dense_Dense2');
    const other = modelOf('dense_Dense3'); // of neither
    const restored = make();
    await restored.setWeights(saved);
    await expect(restored.attach(weightsOf(second))).rejects.toMatchObject({
      code: 'STATE_MISMATCH',
    });
    await restored.attach(second);
    expect(await slowOf(restored)).toEqual(slow);
    tf.dispose(saved.map(({ tensor }) => tensor));
    for (const each of [saving, restored, first, second, other]) each.dispose();
  },
);

test('entries of overrides are compared with all weights of a model, frozen ones too', async () => {
  const model = modelOf('dense');
  const optimizer = lookahead(sgd(), { overrides: [{ weights: 'nothing', slowStepSize: 1 }] });
  await expect(optimizer.attach(model)).rejects.toMatchObject({ code: 'UNMATCHED_OVERRIDE' });
  await optimizer.attach(weightsOf(model)); // perhaps not all
  const inner = adam({ overrides: [{ weights: 'nothing', moments: 'device:q8' }] });
  const other = lookahead(inner);
  await expect(other.attach(model)).rejects.toMatchObject({ code: 'UNMATCHED_OVERRIDE' });
  for (const each of [optimizer, other, model]) each.dispose();
});

test('what is no model and no list of variables is refused by what it holds', async () => {
  const optimizer = lookahead(sgd());
  const attached = (source: unknown) => optimizer.attach(source as never);
  const takes = 'attach() takes a LayersModel or an array of variables';
  await expect(attached(null)).rejects.toThrow(`${takes}, got null.`);
  await expect(attached({ trainableWeights: 3 })).rejects.toThrow(`${takes}, got 3.`);
  for (const weight of [null, {}, { read: () => undefined }]) {
    const model = { trainableWeights: [weight] };
    await expect(attached(model)).rejects.toThrow(`${takes}; weight 0 is undefined.`);
  }
  optimizer.dispose();
});

test('fit() with adaptive() and metrics is refused, because tfjs would count them twice', () => {
  const [optimizer, other] = [sgd(), sgd()];
  const model = (...metricsNames: string[]) =>
    ({ optimizer, metricsNames }) as unknown as tfl.LayersModel;
  const check = (given: tfl.LayersModel, slowStepSize: SlowStepSize, of = optimizer) =>
    checkModel(given, of, { slowStepSize } as LookaheadSettings);
  expect(() => check(model('loss'), 0.5, other)).toThrow('belong to another optimizer');
  expect(() => check(model('loss', 'acc'), 0.5)).not.toThrow();
  expect(() => check(model('loss', 'a_loss'), adaptive())).not.toThrow();
  expect(() => check(model('loss', 'a_loss', 'acc', 'mse'), adaptive())).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED_INNER',
      details: { metrics: ['acc', 'mse'] },
      message: expect.stringContaining('with metrics (acc, mse)') as string,
    }),
  );
});

// From 1 to −½ with gradient x: d = 1½ and g = −½, so α = 1 − ¾ / 2¼ = ⅔ and x = 1 − ⅔ · 1½ = 0.
describe('adaptive() decides by the weights that it is for alone', () => {
  const options = { syncPeriod: 1, workers: 0 };

  test('not by one with a step size of its own, nor by one that the loss does not reach', async () => {
    const [x, y] = ['x', 'y', 'unreached'].map((name) =>
      tf.tidy(() => tf.variable(tf.tensor1d([1]), true, name)),
    ) as [tf.Variable, tf.Variable];
    const curvature = (weight: tf.Variable) => tf.onesLike(weight);
    const optimizer = lookahead(sgd({ learningRate: 1.5 }), {
      ...options,
      slowStepSize: adaptive({ curvature }),
      overrides: [{ weights: 'y', slowStepSize: 1 }],
    });
    const ofBoth = () => tf.add<tf.Scalar>(halfSquare(x), tf.mul<tf.Scalar>(halfSquare(y), 4));
    await optimizer.step(ofBoth);
    expect(valuesOf(x)[0]).toBeCloseTo(0, 6);
    expect(valuesOf(y)).toEqual([-5]); // 1 − 1½ · 4
    const { numTensors } = tf.memory();
    await optimizer.step(ofBoth);
    expect(tf.memory().numTensors).toBe(numTensors);
    optimizer.dispose();
  });

  test('by the unbiased second moment: of adam, half of g² after a step with β₂ = ½, times 2', async () => {
    const x = tf.tidy(() => tf.variable(tf.tensor1d([1]), true, 'x'));
    const inner = adam({ learningRate: 1.5, beta1: 0, beta2: 0.5 });
    const optimizer = lookahead(inner, { ...options, slowStepSize: adaptive() });
    await optimizer.step(() => halfSquare(x), false, [x]);
    expect(valuesOf(x)[0]).toBeCloseTo(0, 5);
    optimizer.dispose();
  });
});

describe('completeStep()', () => {
  const weightOf = () => tf.tidy(() => tf.variable(tf.tensor1d([2]), true, 'w'));

  test('without an open step does nothing, whatever the end of a cycle would need', async () => {
    const slowStepSize = adaptive({ curvature: (weight) => tf.onesLike(weight) });
    const weight = weightOf();
    const optimizer = lookahead(sgd({ accumulate: 2 }), {
      slowStepSize,
      syncPeriod: 1,
      workers: 0,
    });
    await optimizer.attach([weight]);
    expect(optimizer.completeStep()).toBe(false);
    optimizer.minimize(loss([weight]), false, [weight]);
    // Now it would end the cycle, and leave no gradient.
    expect(() => optimizer.completeStep()).toThrow(
      expect.objectContaining({ code: 'NO_GRADIENT' }),
    );
    optimizer.dispose();
  });

  test('of one of tf.train there is none', () => {
    const optimizer = lookahead(tf.train.sgd(1), { workers: 0 });
    expect(optimizer.completeStep()).toBe(false);
    optimizer.dispose();
  });

  test('takes a weight that was replaced in the step before it moves', async () => {
    const weight = weightOf();
    const inner = sgd({ learningRate: 1, accumulate: 2 });
    const optimizer = lookahead(inner, { replaced: 'resync', workers: 0 });
    optimizer.minimize(loss([weight]), false, [weight]);
    tf.tidy(() => weight.assign(tf.tensor1d([10])));
    optimizer.completeStep();
    expect(valuesOf(weight)).toEqual([9.5]);
    await optimizer.discard();
    expect(valuesOf(weight)).toEqual([10]);
    optimizer.dispose();
  });

  test('counts as one step, and what it writes is its own', async () => {
    const weight = weightOf();
    const options = { syncPeriod: 1, slowStepSize: 0.5, workers: 0 };
    const optimizer = lookahead(sgd({ learningRate: 1, accumulate: 2 }), options);
    optimizer.minimize(loss([weight]), false, [weight]);
    expect([optimizer.iterations, optimizer.completeStep(), optimizer.iterations]).toEqual([
      0,
      true,
      1,
    ]);
    expect(valuesOf(weight)).toEqual([1.5]);
    await optimizer.sync();
    expect(valuesOf(weight)).toEqual([1.75]);
    optimizer.dispose();
  });
});

test('a function of overrides that answers neither true nor false is an error at the sync too', async () => {
  const weight = tf.tidy(() => tf.variable(tf.tensor1d([2]), true, 'w'));
  const overrides = [
    { weights: 'w', slowStepSize: 1 },
    { weights: () => 5 as never, slowStepSize: 1 }, // asked only where the first does not match
  ];
  const optimizer = lookahead(sgd(), { overrides, syncPeriod: 1, workers: 0 });
  await expect(optimizer.step(loss([weight]), false, [weight])).rejects.toMatchObject({
    cause: expect.any(TypeError) as unknown,
  });
  optimizer.dispose();
});

test('counters without a cycle beside slow weights are no state', async () => {
  const weight = tf.tidy(() => tf.variable(tf.tensor1d([2]), true, 'w'));
  const optimizer = lookahead(sgd(), { workers: 0 });
  await optimizer.step(loss([weight]), false, [weight]);
  const saved = await optimizer.getWeights();
  const one = tf.tensor1d([2, 1, 1], 'int32'); // the version, the inner steps and the steps
  const torn = saved.map((entry, i) => (i === 0 ? { ...entry, tensor: one } : entry));
  await expect(optimizer.setWeights(torn)).rejects.toThrow('has slow weights but no cycle: [1]');
  one.dispose();
  optimizer.dispose();
});

test('weights that are given to a step are captured before the loss is computed; it returns no loss by default', async () => {
  const weight = tf.tidy(() => tf.variable(tf.tensor1d([2]), true, 'w'));
  const optimizer = lookahead(sgd({ learningRate: 1 }), { workers: 0 });
  const seen: number[] = [];
  const noting = () => {
    seen.push(optimizer.stats().host.slowBytes);
    return tf.sum<tf.Scalar>(weight);
  };
  expect(await optimizer.step(noting, undefined, [weight])).toBeNull();
  expect(seen).toEqual([4]);
  expect(optimizer.minimize(noting, undefined, [weight])).toBeNull();
  expect(valuesOf(weight)).toEqual([0]);
  optimizer.dispose();
});

test('a sync inline counts the bytes that it has moved', () => {
  const weight = tf.tidy(() => tf.variable(tf.ones([8]), true, 'w'));
  const optimizer = lookahead(sgd(), { sync: 'inline', syncPeriod: 1, workers: 0 });
  for (const bytes of [4 * 8, 2 * 4 * 8]) {
    optimizer.minimize(loss([weight]), false, [weight]);
    expect(optimizer.stats()).toMatchObject({ bytesPulled: bytes, bytesPushed: bytes });
  }
  optimizer.dispose();
});

test('slots of the inner state are kept in the format of their weights, none in float32', async () => {
  const weight = tf.tidy(() => tf.variable(tf.ones([8]), true, 'w'));
  const options = { slow: 'host:f16', innerState: 'interpolate', syncPeriod: 1 } as const;
  const optimizer = lookahead(adam(), { ...options, workers: 0 });
  await optimizer.step(loss([weight]), false, [weight]);
  expect(optimizer.stats().keptInF32).toBe(0);
  optimizer.dispose();
});

test('one weight or several, that something else has changed, are listed', async () => {
  const weights = [1, 2, 3, 4].map((i) => tf.tidy(() => tf.variable(tf.ones([1]), true, `w${i}`)));
  const optimizer = lookahead(sgd(), { workers: 0 });
  await optimizer.step(loss(weights), false, weights);
  const said = async (n: number) => {
    for (const weight of weights.slice(0, n)) tf.tidy(() => weight.assign(tf.zeros([1])));
    const error: unknown = await optimizer.sync().catch((cause: unknown) => cause);
    await optimizer.resync();
    expect(error).toMatchObject({ details: { weights: weights.slice(0, n).map((w) => w.name) } });
    return String(error);
  };
  expect(await said(1)).toContain("had changed the weight 'w1', so they");
  await optimizer.step(loss(weights), false, weights);
  expect(await said(3)).toContain("had changed the weights 'w1', 'w2', 'w3', so they");
  await optimizer.step(loss(weights), false, weights);
  expect(await said(4)).toContain("had changed the weights 'w1', 'w2', 'w3' and 1 more, so they");
  optimizer.dispose();
});
