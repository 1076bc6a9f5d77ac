// One wrong thing in a file whose checksum is right: each is refused, and by the check that is meant for it.

import * as tf from '@tensorflow/tfjs-core';
import { adam, adamw, loadTraining, lookahead, saveTraining, sgd } from 'slowlane';
import { beforeAll, expect, test } from 'vitest';

import { type PackedFile, packFile, unpackFile } from '#src/snapshot/packed-tensors.js';

import '../engines.js';
import { withChecksum } from './mutations.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const loss = (w: tf.Variable) => () => tf.sum(w) as tf.Scalar;
const weight = () => tf.variable(tf.tensor1d([1, 2]));

async function saved(of: 'adam' | 'lookahead') {
  const w = weight();
  const optimizer = of === 'adam' ? adam() : lookahead(sgd(), { workers: 0 });
  optimizer.minimize(loss(w), false, [w]);
  return unpackFile(await saveTraining(optimizer, [w]));
}
const load = (file: PackedFile, of: 'adam' | 'lookahead') =>
  loadTraining(packFile(file), of === 'adam' ? adam() : lookahead(sgd(), { workers: 0 }), [
    weight(),
  ]);

test('the state of an adam()', async () => {
  const file = await saved('adam');
  const [counters, m, v] = file.state as [never, never, never];
  const count = (...numbers: number[]) => ({
    name: 'adam/counters',
    shape: [numbers.length],
    values: Int32Array.from(numbers),
  });
  const renamed = [m, v].map((one: { name: string }) => ({
    ...(one as object),
    name: one.name.replace(/.*\//, 'other/'),
  })) as never[];
  const longer = [m, v].map((one: object) => ({
    ...one,
    shape: [3],
    values: new Float32Array(3),
  })) as never[];
  const wrong: [RegExp, never[]][] = [
    [/count below 0/, [count(-1, 1, 1), m, v] as never[]],
    [/count below 0/, [count(1, 1, -1), m, v] as never[]],
    [/a weight twice/, [count(1, 2, 1, 1), m, v, m, v] as never[]],
    [/neither names nor order/, [counters, ...renamed]],
    [/shape \[3\]/, [counters, ...longer]],
  ];
  for (const [message, state] of wrong) {
    await expect(load({ ...file, state }, 'adam')).rejects.toThrow(message);
  }
  await load(file, 'adam');
  const [other] = [adamw()];
  other.minimize(loss(tf.variable(tf.scalar(1))), false);
  await expect(adam().setWeights(await other.getWeights())).rejects.toThrow(/adamw\/counters/);
});

test('weights of another type, too many tensors, and bytes behind the end', async () => {
  const file = await saved('adam');
  const [w] = file.weights;
  const weights = [{ ...w, values: Int32Array.of(1, 2) }] as never[];
  await expect(load({ ...file, weights }, 'adam')).rejects.toThrow(/no float32 values/);
  const state = Array.from({ length: 20 }, () => file.state[0]) as never[];
  await expect(load({ ...file, state }, 'adam')).rejects.toThrow(/20 tensors, more than 15/);
  const packed = packFile(file).subarray(0, -4);
  const bytes = withChecksum(Uint8Array.of(...packed, 0));
  expect(() => unpackFile(bytes)).toThrow(/follows its end/);
});

test('the state of a Lookahead', async () => {
  const file = await saved('lookahead');
  const [counters, rounding, slow, ...rest] = file.state as [never, never, never, ...never[]];
  const rows = (...numbers: number[]) => ({
    ...(rounding as object),
    shape: [numbers.length / 2, 2],
    values: Int32Array.from(numbers),
  });
  const noCycle = { ...(counters as object), shape: [3], values: Int32Array.of(2, 1, 1) };
  const wrong: [RegExp, never[]][] = [
    [/twice/, [counters, rows(0, 0, 1, 0), slow, slow, ...rest] as never[]],
    [/rounded by/, [counters, rows(-1, 0), slow, ...rest] as never[]],
    [/incomplete/, [counters, rows(0, 0, 1, 0), slow, ...rest] as never[]],
    [/no cycle/, [noCycle, rounding, slow, ...rest] as never[]],
  ];
  for (const [message, state] of wrong) {
    await expect(load({ ...file, state }, 'lookahead')).rejects.toThrow(message);
  }
  await load(file, 'lookahead');
});

test('tf.train.adam: the model has to train the same weights, in the same order', async () => {
  const [a, b] = [weight(), weight()];
  const optimizer = tf.train.adam(0.1);
  optimizer.minimize(() => tf.add(loss(a)(), loss(b)()), false, [a, b]);
  const bytes = await saveTraining(optimizer, [a, b]);
  const asWeights = (list: tf.Variable[]) => list.map((one) => ({ read: () => one }));
  const load = (...trained: tf.Variable[]) => {
    const model = { weights: asWeights([a, b]), trainableWeights: asWeights(trained) };
    return loadTraining(bytes, tf.train.adam(0.1), model);
  };
  await load(a, b);
  for (const trained of [[a], [b], [a, a], [b, a]]) {
    await expect(load(...trained)).rejects.toThrow(/by the position of the weights/);
  }
});
