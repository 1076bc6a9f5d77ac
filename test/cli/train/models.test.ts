// Every model trains on every engine that it is offered on, and alike.

import '@tensorflow/tfjs-backend-cpu';

import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startWasm } from 'slowlane/wasm';
import type { ModelName } from '#src/models/names.js';
import { type Batch, disposeBatch, type DataSet } from '#src/models/dataset.js';
import { loadData } from '#src/cli/data/load.js';
import { evaluate, meanCrossEntropy } from '#src/models/cross-entropy.js';
import { makeModel } from '#src/models/make.js';
import type { Model } from '#src/models/model.js';

const STEPS = 4;
const BATCH = 4;

let images: DataSet;
let text: DataSet;
let afterAllModels: () => void;

beforeAll(async () => {
  tf.enableProdMode();
  const { stop } = await startWasm();
  afterAllModels = stop;
  images = await loadData('mnist', undefined, () => {});
  text = await loadData('moby-dick', undefined, () => {});
});

afterAll(() => afterAllModels());

describe.each<[ModelName, 'images' | 'text', readonly string[]]>([
  ['mlp', 'images', ['cpu', 'wasm']],
  ['cnn', 'images', ['cpu', 'wasm']],
  ['lstm', 'images', ['cpu', 'wasm']],
  ['lstm', 'text', ['cpu', 'wasm']],
  ['transformer', 'text', ['cpu', 'wasm']],
])('%s on %s', (name, kind, engines) => {
  const losses = new Map<string, number[]>();

  test.each(engines)(
    '%s: every variable gets a gradient, the loss falls, nothing leaks',
    async (engine) => {
      await tf.setBackend(engine);
      const before = tf.memory().numTensors;
      const data = kind === 'images' ? images : text;
      const model = makeModel(name, data, 1);
      const batch = data.batches(BATCH, 1).next().value;
      expect(variablesWithoutGradient(model, batch)).toEqual([]);

      const optimizer = tf.train.sgd(0.1);
      const seen = Array.from({ length: STEPS }, () => trainOnce(model, batch, optimizer));
      losses.set(engine, seen);
      expect(seen[0]).toBeCloseTo(Math.log(data.classes), 0); // at first all classes are alike
      expect(seen.at(-1)).toBeLessThan(seen[0]!);

      disposeBatch(batch);
      optimizer.dispose();
      model.dispose();
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  afterAll(() => {
    const [first = [], ...others] = losses.values();
    for (const other of others) {
      for (const [step, loss] of other.entries()) expect(loss).toBeCloseTo(first[step]!, 4);
    }
  });
});

test('the transformer does not see the characters that it predicts', async () => {
  await tf.setBackend('wasm');
  const model = makeModel('transformer', text, 1);
  const batch = text.batches(1, 1).next().value;
  const codes = batch.inputs.dataSync();
  const changed = tf.tensor2d(
    codes.map((code, at) => (at < 40 ? code : (code + 1) % 83)),
    [1, 64],
    'int32',
  );
  const scores = (inputs: tf.Tensor) =>
    tf.tidy(() => model.logits({ ...batch, inputs }).arraySync());
  const [before, after] = [scores(batch.inputs), scores(changed)];
  expect(after.slice(0, 40)).toEqual(before.slice(0, 40));
  expect(after[40]).not.toEqual(before[40]);
  tf.dispose([changed]);
  disposeBatch(batch);
  model.dispose();
});

test('evaluate weighs a smaller last batch by its size', async () => {
  await tf.setBackend('cpu');
  const logits = tf.tensor2d([
    [0, 9],
    [0, 9],
    [9, 0],
  ]);
  let from = 0;
  const model: Model = {
    description: '',
    variables: [],
    logits: ({ labels }) => {
      const rows = tf.slice2d(logits, [from, 0], [labels.size, 2]);
      from += labels.size;
      return rows;
    },
    dispose: () => logits.dispose(),
  };
  const batch = (labels: number[]): Batch => ({
    inputs: tf.scalar(0),
    labels: tf.tensor1d(labels, 'int32'),
  });
  const { accuracy, loss } = await evaluate(model, [batch([1, 1]), batch([1])]);
  expect(accuracy).toBeCloseTo(2 / 3); // right, right, wrong
  expect(loss).toBeCloseTo((0 + 0 + 9) / 3, 3);
  model.dispose();
});

function variablesWithoutGradient(model: Model, batch: Batch): number[] {
  const { value, grads } = tf.variableGrads(
    () => meanCrossEntropy(model, batch),
    [...model.variables],
  );
  const zeros = model.variables.flatMap((variable, index) => {
    const gradient = grads[variable.name];
    return gradient?.dataSync().some((one) => one !== 0) === true ? [] : [index];
  });
  tf.dispose([value, grads]);
  return zeros;
}

function trainOnce(model: Model, batch: Batch, optimizer: tf.Optimizer): number {
  const loss = optimizer.minimize(() => meanCrossEntropy(model, batch), true, [
    ...model.variables,
  ])!;
  const [value = NaN] = loss.dataSync();
  loss.dispose();
  return value;
}
