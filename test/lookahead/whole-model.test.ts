// attach(model): all weights of a model are known, and restored values find theirs by its order.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, lookahead, momentum, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import '../engines.js';
import { slowOf, valuesOf } from '../engines.js';
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
