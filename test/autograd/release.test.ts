import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { lookahead } from '#src/lookahead/lookahead.js';
import { adaptive } from '#src/lookahead/step-size.js';
import {
  type StepOptions,
  adagrad,
  adam,
  adamw,
  lion,
  momentum,
  rmsprop,
  sgd,
} from '#src/optimizers/index.js';
import { halfSquare, noise, onEveryEngine, valuesOf } from '../engines.js';

type Make = (options: StepOptions) => tf.Optimizer;
interface Task {
  readonly weights: tf.Variable[];
  readonly loss: () => tf.Scalar;
  readonly varList?: tf.Variable[];
}

const byAdam: Make = (options) => adam({ learningRate: 0.05, ...options });

function weight(shape: number[], seed: number, trainable = true): tf.Variable {
  return tf.tidy(() => tf.variable(tf.mul(noise(shape, seed), 0.5), trainable));
}

/** All weights and losses of 12 steps, which also leave no tensor behind. */
function trained(
  task: () => Task,
  make: Make,
  options: StepOptions,
): { losses: number[]; weights: number[][]; slots: number[][] } {
  tf.disposeVariables();
  tf.dispose(kept.splice(0));
  const before = tf.memory().numTensors;
  const { weights, loss, varList } = task();
  const optimizer = make(options);
  const losses = Array.from({ length: 12 }, () => {
    const cost = optimizer.minimize(loss, true, varList);
    const value = Number(cost?.dataSync()[0]);
    cost?.dispose();
    return value;
  });
  const slots = (optimizer as ReturnType<typeof adam>).state();
  const result = {
    losses,
    weights: weights.map(valuesOf),
    slots: slots.map(({ variable }) => valuesOf(variable)),
  };
  optimizer.dispose();
  tf.dispose([...weights, ...kept.splice(0)]);
  if (options.gradients === 'release') expect(tf.memory().numTensors).toBe(before);
  return result;
}

/** The data of a task, freed after it. */
const kept: tf.Tensor[] = [];
function data(shape: number[], seed: number): tf.Tensor {
  const tensor = tf.keep(noise(shape, seed));
  kept.push(tensor);
  return tensor;
}

function stack(): Task {
  const weights = [0, 1, 2].flatMap((i) => [weight([6, 6], i + 1), weight([6], i + 11)]);
  const x = data([4, 6], 50);
  const loss = () => {
    let y = x;
    for (let i = 0; i < weights.length; i += 2) {
      y = tf.tanh(tf.add(tf.matMul(y, weights[i]!), weights[i + 1]!));
    }
    return tf.mean<tf.Scalar>(tf.square(y));
  };
  return { weights, loss };
}

const TASKS: [string, () => Task][] = [
  ['a stack of dense layers', stack],
  ['a given list of weights', listed],
  [
    'a weight used three times, twice by one op',
    () => {
      const [tied, other] = [weight([5, 5], 1), weight([5, 5], 2)];
      const x = data([3, 5], 3);
      const loss = () => {
        const hidden = tf.sigmoid(tf.matMul(x, tied));
        const out = tf.matMul(tf.matMul(hidden, other), tied, false, true);
        return tf.add<tf.Scalar>(tf.mean(tf.square(out)), tf.sum(tf.mul(tied, tied)));
      };
      return { weights: [tied, other], loss };
    },
  ],
  [
    'frozen weights, weights out of the list and weights without a gradient',
    () => {
      const weights = [1, 2, 3].map((seed) => weight([4, 4], seed));
      const [a, b, outside] = weights as [tf.Variable, tf.Variable, tf.Variable];
      const frozen = weight([4, 4], 4, false);
      const unused = weight([4], 5);
      const x = data([2, 4], 6);
      const loss = () => {
        tf.square(unused); // on the tape, but not on the way to the loss
        const y = tf.relu(tf.matMul(tf.tanh(tf.matMul(tf.matMul(x, a), frozen)), b));
        return tf.mean<tf.Scalar>(tf.square(tf.matMul(y, outside)));
      };
      return { weights: [...weights, frozen, unused], loss, varList: [unused, b, a, frozen, b] };
    },
  ],
  [
    'a gradient inside of the loss',
    () => {
      const [a, b] = [weight([4, 4], 1), weight([4], 2)];
      const x = data([4], 3);
      const loss = () => {
        const energy = (v: tf.Tensor) =>
          tf.sum(tf.mul(tf.square(tf.tanh(tf.dot(a, v) as tf.Tensor1D)), b));
        const slope = tf.grad(energy)(x);
        return tf.add<tf.Scalar>(tf.sum(tf.square(slope)), energy(x));
      };
      return { weights: [a, b], loss };
    },
  ],
  [
    'ops with several outputs, of which some are not used',
    () => {
      const [a, b] = [weight([4, 6], 1), weight([2, 4], 2)];
      const x = data([2, 4], 3);
      const loss = () => {
        const [left, , right] = tf.split(tf.matMul(x, a), 3, 1) as tf.Tensor[];
        const [first, second] = tf.unstack(tf.concat([left!, right!, left!], 1));
        const best = tf.concat([tf.mul(first!, second!), tf.sum(b, 0)]);
        return tf.sum<tf.Scalar>(tf.square(tf.addN([best, best, tf.relu(best)])));
      };
      return { weights: [a, b], loss };
    },
  ],
  [
    'custom gradients that hand on dy, what they saved, one tensor twice, or their input',
    () => {
      const [a, b] = [weight([3, 3], 1), weight([3, 3], 2)];
      const handsOn = tf.customGrad((x, y) => ({
        value: tf.add(x as tf.Tensor, y as tf.Tensor),
        gradFunc: (dy) => [dy, dy],
      }));
      const square = tf.customGrad((x, save) => {
        (save as tf.GradSaveFunc)([x as tf.Tensor]);
        return {
          value: tf.mul(tf.square(x as tf.Tensor), 0.5),
          gradFunc: (_, [x0]) => x0!,
        };
      });
      const twice = tf.customGrad((x, y) => ({
        value: tf.mul(x as tf.Tensor, y as tf.Tensor),
        gradFunc: (dy) => {
          const g = tf.mul(dy, 0.3);
          return [g, g];
        },
      }));
      const same = tf.customGrad((x) => ({
        value: x as tf.Tensor,
        gradFunc: (dy) => tf.mul(dy, 2),
      }));
      const x = data([3, 3], 3);
      const loss = () => {
        const y = handsOn(tf.matMul(x, a), twice(same(b), tf.matMul(a, x)));
        return tf.add<tf.Scalar>(tf.sum(square(b)), tf.sum(tf.square(handsOn(y, tf.relu(b)))));
      };
      return { weights: [a, b], loss };
    },
  ],
  [
    'a fused layer, a view of a weight, and a loss that is a view of the data of another',
    () => {
      const [a, b, c] = [weight([4, 3], 1), weight([3], 2), weight([12], 3)];
      const x = data([2, 4], 3);
      const loss = () => {
        const y = tf.fused.matMul({ a: x, b: a, bias: b, activation: 'linear' });
        const z = tf.fused.matMul({ a: y, b: tf.reshape(c, [3, 4]), activation: 'relu' });
        const norms = tf.moments(z).variance;
        return tf.reshape<tf.Rank.R0>(
          tf.add(norms, tf.losses.softmaxCrossEntropy(tf.onesLike(z), z)),
          [],
        );
      };
      return { weights: [a, b, c], loss };
    },
  ],
];

function listed(): Task {
  const task = stack();
  return { ...task, varList: task.weights.toReversed() };
}

onEveryEngine(() => {
  describe.each(TASKS)('%s', (_, task) => {
    test('trains to the same bits', () => {
      const keep = trained(task, byAdam, { gradients: 'keep' });
      const release = trained(task, byAdam, { gradients: 'release' });
      expect(release).toEqual(keep);
      expect(new Set(keep.losses).size).toBeGreaterThan(6); // it did train
    });
  });

  test('a weight that is itself the loss: 3 → 2 → 1', () => {
    const x = tf.tidy(() => tf.variable(tf.scalar(3)));
    const optimizer = sgd({ learningRate: 1, gradients: 'release' });
    for (const value of [2, 1]) {
      expect(optimizer.minimize(() => x as unknown as tf.Scalar)).toBeNull();
      expect(valuesOf(x)).toEqual([value]);
    }
    x.dispose();
  });

  test.each<[string, Make]>([
    ['sgd', sgd],
    ['momentum', (options) => momentum({ nesterov: true, ...options })],
    ['rmsprop', (options) => rmsprop({ momentum: 0.5, centered: true, ...options })],
    ['adagrad', adagrad],
    ['adamw', adamw],
    ['lion', lion],
    ['adam, clipValue', (options) => adam({ clipValue: 0.01, ...options })],
  ])('%s', (_, make) => {
    const keep = trained(stack, make, { gradients: 'keep' });
    expect(trained(stack, make, { gradients: 'release' })).toEqual(keep);
  });

  test.each([
    ['of a fixed step size', 0.5],
    ['with adaptive()', adaptive()],
  ])('inside of a Lookahead %s, captured by its first step or before', async (_, slowStepSize) => {
    const results: unknown[] = [];
    for (const gradients of ['keep', 'release'] as const) {
      for (const bare of [true, false]) {
        tf.disposeVariables();
        const { weights, loss } = stack();
        const optimizer = lookahead(byAdam({ gradients }), { syncPeriod: 3, slowStepSize });
        const losses: number[] = [];
        for (let step = 0; step < 12; step++) {
          const cost = bare ? optimizer.minimize(loss, true) : await optimizer.step(loss, true);
          losses.push(Number(cost?.dataSync()[0]));
          cost?.dispose();
          if (optimizer.due) await optimizer.sync();
        }
        await optimizer.finish();
        results.push({ losses, weights: weights.map(valuesOf) });
        optimizer.dispose();
        tf.dispose([...weights, ...kept.splice(0)]);
      }
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  test('the hook of Lookahead hears of all weights before the first changes', () => {
    tf.disposeVariables();
    const { weights, loss } = stack();
    const unused = weight([2], 1);
    const values = weights.map(valuesOf);
    const heard: string[][] = [];
    const optimizer = sgd({ gradients: 'release' });
    optimizer.minimize(loss, false, undefined, (found) => {
      heard.push(found.map(({ name }) => name));
      expect(weights.map(valuesOf)).toEqual(values);
    });
    expect(heard).toEqual([weights.map(({ name }) => name)]);
    const stop = () => {
      throw new Error('stopped');
    };
    const [before, now] = [tf.memory().numTensors, weights.map(valuesOf)];
    expect(() => optimizer.minimize(loss, false, undefined, stop)).toThrow('stopped');
    expect(weights.map(valuesOf)).toEqual(now);
    expect(optimizer.iterations).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([...weights, unused, ...kept.splice(0)]);
  });

  test('a step inside of another differentiation keeps its gradients', () => {
    tf.disposeVariables();
    const x = tf.tidy(() => tf.variable(tf.scalar(3)));
    const inner = sgd({ learningRate: 0.5, gradients: 'release' });
    const slope = tf.grad((y) =>
      tf.tidy(() => (inner.minimize(() => halfSquare(x)), tf.square(y))),
    );
    const result = tf.tidy(() => valuesOf(slope(tf.scalar(2))));
    expect([result, valuesOf(x)]).toEqual([[4], [1.5]]);
    x.dispose();
  });
});
