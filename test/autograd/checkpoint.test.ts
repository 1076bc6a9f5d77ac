import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { type StepOptions, adam, momentum, sgd } from '#src/optimizers/index.js';
import { lookahead } from 'slowlane';
import { checkpoint } from '#src/autograd/checkpoint.js';
import { noise, onEveryEngine, valuesOf } from '../engines.js';
import {
  TASKS,
  type Task,
  type Wrap,
  meanSquare,
  plainly,
  stack,
  weight,
} from './checkpoint-tasks.js';

type Step = (task: Task) => tf.Scalar;
const OPTIMIZERS: [string, () => { step: Step; dispose: () => void }][] = (
  [
    ['tf.train.adam', () => tf.train.adam(0.05)],
    ['adam, keep', () => adam({ learningRate: 0.05 })],
    ['adam, release', () => adam({ learningRate: 0.05, gradients: 'release' })],
  ] as [string, () => tf.Optimizer][]
).map(([name, make]) => [
  name,
  () => {
    const optimizer = make();
    const step: Step = ({ loss }) => optimizer.minimize(loss, true) as tf.Scalar;
    return { step, dispose: () => optimizer.dispose() };
  },
]);

/** Losses and weights of 5 steps; the random numbers are the same in each call. */
function trained(task: Task, { step, dispose }: { step: Step; dispose: () => void }) {
  const { random } = Math;
  let drawn = 0;
  Math.random = () => ((drawn += 1) * 0.6180339887) % 1;
  const losses: number[] = [];
  try {
    let [numTensors, numDataBuffers] = [0, 0];
    for (let i = 0; i < 5; i++) {
      const cost = step(task);
      losses.push(...valuesOf(cost));
      cost.dispose();
      if (i === 0) ({ numTensors, numDataBuffers } = tf.memory());
    }
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers });
  } finally {
    Math.random = random;
  }
  const weights = task.weights.map(valuesOf);
  dispose();
  tf.dispose([...task.weights, ...(task.data ?? [])]);
  expect(tf.engine().state.activeTape ?? null).toBeNull();
  return { losses, weights, drawn };
}

onEveryEngine(() => {
  beforeEach(() => tf.disposeVariables());

  describe.each(TASKS)('%s', (_, make) => {
    test.each(OPTIMIZERS)('%s: the same bits', (_name, optimizer) => {
      const plain = trained(make(plainly), optimizer());
      const before = tf.memory().numTensors;
      expect(trained(make(checkpoint as Wrap), optimizer())).toEqual(plain);
      expect(tf.memory().numTensors).toBe(before);
      expect(new Set(plain.losses).size).toBe(5); // it did train
    });
  });

  test('tf.grads: of y = (x·w)², with x = 3 and w = 2, are 24 and 36; w is not listed', () => {
    const [x, w] = [tf.scalar(3), tf.tidy(() => tf.variable(tf.scalar(2)))];
    const before = tf.memory().numTensors;
    const block = checkpoint((z) => tf.square(tf.mul(z, w)));
    const grads = tf.grads((z: tf.Tensor) => block(z))([x, w]);
    expect(grads.map(valuesOf)).toEqual([[24], [36]]);
    expect(tf.memory().numTensors).toBe(before + 2);
    tf.dispose([x, w, grads]);
  });

  test('what it closes over has its gradient, too: of c·x, with c = 5', () => {
    const [x, c] = [tf.scalar(3), tf.scalar(5)];
    const grads = tf.grads((y: tf.Tensor) => checkpoint(() => tf.mul(c, y))())([x]);
    expect(grads.map(valuesOf)).toEqual([[5]]);
    const both = tf.grads((y: tf.Tensor) => checkpoint((z: tf.Tensor) => tf.mul(z, y))(y))([x]);
    expect(both.map(valuesOf)).toEqual([[6]]);
    tf.dispose([x, c, grads, both]);
  });

  test('gradients of gradients: x³ at 2 has 12, 12 and 6', () => {
    const cube = checkpoint((x) => checkpoint((y) => tf.mul(y, tf.square(y)))(x));
    const x = tf.scalar(2);
    const before = tf.memory().numTensors;
    const first = tf.grad(cube);
    const second = tf.grad((y) => first(y));
    const third = tf.grad((y) => second(y));
    expect(tf.tidy(() => [first, second, third].map((f) => valuesOf(f(x))))).toEqual([
      [12],
      [12],
      [6],
    ]);
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  test('a gradient penalty trains', () => {
    const make = (wrap: Wrap): Task => {
      const [a, b] = [weight([4, 4], 1), weight([4], 2)];
      const x = noise([4, 4], 3);
      const energy = wrap((y) => tf.mul(tf.square(tf.tanh(tf.matMul(y, a))), b));
      const loss = () =>
        tf.add<tf.Scalar>(meanSquare(tf.grad((y) => tf.sum(energy(y)))(x)), meanSquare(energy(x)));
      return { weights: [a, b], data: [x], loss };
    };
    for (const [, optimizer] of OPTIMIZERS) {
      const plain = trained(make(plainly), optimizer());
      const { losses } = trained(make(checkpoint as Wrap), optimizer());
      for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(plain.losses[i]!, 5);
    }
  });

  test('leaves the data of the weights as they are: Lookahead takes other data for other weights', async () => {
    const w = tf.tidy(() => tf.variable(noise([4, 4], 1)));
    const block = checkpoint((x: tf.Tensor) => tf.matMul(x, w));
    const x = noise([2, 4], 2);
    const optimizer = lookahead(sgd(), { syncPeriod: 1 });
    for (let i = 0; i < 3; i++) {
      await optimizer.step(() => tf.sum(block(x)), false, [w]);
      const { dataId } = w;
      tf.dispose(tf.variableGrads(() => tf.sum(block(x)), [w]));
      expect(w.dataId).toBe(dataId);
    }
    optimizer.dispose();
    tf.dispose([w, x]);
  });

  test('a gradient inside of a block', () => {
    const make = (wrap: Wrap): Task => {
      const [a, b] = [weight([4, 4], 1), weight([4, 4], 2)];
      const x = noise([4, 4], 3);
      const block = wrap((y) => tf.grad((z) => tf.sum(tf.tanh(tf.matMul(z, a))))(tf.matMul(y, b)));
      return { weights: [a, b], data: [x], loss: () => meanSquare(block(block(x))) };
    };
    for (const [, optimizer] of OPTIMIZERS) {
      const plain = trained(make(plainly), optimizer());
      expect(trained(make(checkpoint as Wrap), optimizer())).toEqual(plain);
    }
  });

  test('where no gradient is computed it is the function itself, run once', () => {
    const [x, w] = [tf.scalar(3), weight([], 1)];
    const before = tf.memory().numTensors;
    let runs = 0;
    const block = checkpoint((y) => (runs++, tf.mul(y, w)));
    tf.dispose(tf.tidy(() => block(x)));
    expect([runs, tf.memory().numTensors]).toEqual([1, before]);
    block(x).dispose();
    expect([runs, tf.memory().numTensors]).toEqual([2, before]);
    tf.dispose([x, w]);
  });

  test('a weight keeps its value until the block has read it again: 8 → 8 − 2·8·3 → …', () => {
    // y = w·(w·x): with x = 3, dy/dw = 2·w·x.
    const w = tf.tidy(() => tf.variable(tf.scalar(8)));
    const x = tf.scalar(3);
    const times = checkpoint((y) => tf.mul(y, w));
    const optimizer = sgd({ learningRate: 1, gradients: 'release' });
    const loss = () => times(times(x)) as tf.Scalar;
    const values: number[] = [];
    for (let i = 0; i < 2; i++) {
      optimizer.minimize(loss);
      values.push(...valuesOf(w));
    }
    expect(values).toEqual([-40, 200]);
    tf.dispose([w, x]);
  });
});

describe('each op', () => {
  beforeEach(async () => {
    await tf.setBackend('cpu');
    tf.disposeVariables();
  });

  test.each<[string, StepOptions]>([
    ['keep', {}],
    ['release', { gradients: 'release' }],
  ])('runs once more forward and not once more backward, gradients: %s', async (_, options) => {
    const counts: Record<string, number>[] = [];
    for (const wrap of [plainly, checkpoint as Wrap]) {
      const { weights, data, loss } = stack(wrap);
      weights[2]!.trainable = false;
      const { kernels } = await tf.profile(() => {
        momentum(options).minimize(loss);
      });
      const count: Record<string, number> = {};
      for (const { name } of kernels) count[name] = (count[name] ?? 0) + 1;
      counts.push(count);
      tf.dispose([...weights, data!]);
      tf.disposeVariables();
    }
    const [plain, blocks] = counts as [Record<string, number>, Record<string, number>];
    // 4 layers: 4 products forward, 3 + 3 backward (one weight is frozen, x needs none).
    expect(plain['BatchMatMul']).toBe(10);
    expect(blocks['BatchMatMul']).toBe(14);
    expect(blocks['Tanh']).toBe(2 * plain['Tanh']!);
    expect(blocks['Sum']).toBe(plain['Sum']);
  });
});
