// A step of micro-batches that breaks off, is given up, or is completed early: no gradient is lost or counted twice.

import * as tf from '@tensorflow/tfjs-core';
import { adagrad, momentum, sgd, type StepOptions } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { registerEngine, unregisterEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import { updateWithTensors } from '#src/formula/tensor-algebra.js';
import type { WeightUpdate } from '#src/formula/weight-update.js';
import '../../engines.js';
import { valuesOf } from '../../engines.js';
import { Host } from '../state/plain-host.js';
import { onCleanSlate } from '../state/clean-slate.js';

onCleanSlate();

const make = (...names: string[]) =>
  names.map((name) => tf.tidy(() => tf.variable(tf.tensor1d([0]), true, name)));
/** Its gradient is `slope` for each weight. */
const loss = (weights: readonly tf.Variable[], slope: number) => () =>
  tf.addN(weights.map((w) => tf.sum(tf.mul(w, slope)))) as tf.Scalar;
const minimize = (optimizer: tf.Optimizer, weights: tf.Variable[], slope = 1) =>
  optimizer.minimize(loss(weights, slope), false, weights);
/** The next update of a weight called one of `names` fails, once for each. */
function failing(...names: string[]): void {
  const left = new Set(names);
  registerEngine(tf.backend(), {
    device: currentDevice(),
    update: (update: WeightUpdate) => {
      if (left.delete(update.weight.name)) throw new RangeError('no memory');
      updateWithTensors(update);
    },
  });
}

test('given up, its gradients are in no later step, and their memory is free', () => {
  const weights = make('a');
  const optimizer = sgd({ learningRate: 1, accumulate: 2 });
  const { numTensors } = tf.memory();
  minimize(optimizer, weights, 100);
  optimizer.reset();
  expect(tf.memory().numTensors).toBe(numTensors);
  minimize(optimizer, weights, 1);
  minimize(optimizer, weights, 2);
  expect(weights.flatMap(valuesOf)).toEqual([-1.5]);
});

test('momentum takes its gradients into the state, without a tensor more', () => {
  const weights = make('a');
  const optimizer = momentum({ learningRate: 1, accumulate: 2 });
  optimizer.adopt(weights);
  const { numTensors } = tf.memory();
  minimize(optimizer, weights);
  expect(tf.memory().numTensors).toBe(numTensors);
  const nesterov = momentum({ learningRate: 1, accumulate: 2, nesterov: true });
  nesterov.adopt(weights);
  const plus = tf.memory().numTensors;
  minimize(nesterov, weights);
  expect(tf.memory().numTensors).toBe(plus + 1); // one mean
  nesterov.dispose();
});

describe('memory: each gradient is freed as soon as it is used', () => {
  /** Tensors at each update of `run`, beside those before. */
  function counted(run: () => void): number[] {
    const before = tf.memory().numTensors;
    const found: number[] = [];
    registerEngine(tf.backend(), {
      device: currentDevice(),
      update: (update: WeightUpdate) => {
        found.push(tf.memory().numTensors - before);
        updateWithTensors(update);
      },
    });
    run();
    unregisterEngine(tf.backend());
    expect(tf.memory().numTensors).toBeLessThanOrEqual(before);
    return found;
  }
  /** Released gradients come while the backward pass runs: of each weight to come it holds 4 tensors. */
  const FORWARD = 4;
  const gradients = ['keep', 'release'] as const;

  test.each(gradients)('%s: in a step of three weights', (lifetime) => {
    const weights = make('a', 'b', 'c');
    const optimizer = sgd({ gradients: lifetime });
    const found = counted(() => minimize(optimizer, weights));
    expect(found.map((count) => count - (found[2] ?? NaN))).toEqual(
      lifetime === 'keep' ? [2, 1, 0] : [2 * FORWARD, FORWARD, 0],
    );
  });

  test.each(gradients)('%s: a mean is freed with its update', (lifetime) => {
    const weights = make('a', 'b', 'c');
    const optimizer = sgd({ gradients: lifetime, accumulate: 2 });
    minimize(optimizer, weights);
    const found = counted(() => minimize(optimizer, weights));
    // Of each that has not moved: its mean, and if gradients are kept its gradient.
    expect(found.map((count) => count - (found[2] ?? NaN))).toEqual(
      lifetime === 'keep' ? [4, 2, 0] : [2 * (FORWARD + 1), FORWARD + 1, 0],
    );
  });

  test('weights that the last micro-batch does not reach: one gradient of 0 at a time', () => {
    const weights = make('a', 'b', 'c');
    const optimizer = momentum({ accumulate: 2 });
    minimize(optimizer, weights);
    expect(counted(() => optimizer.completeStep())).toEqual([1, 1, 1]);
    optimizer.dispose();
  });

  test('a micro-batch taken again frees what it does not need', () => {
    const weights = make('a', 'b', 'c');
    const optimizer = momentum({ accumulate: 2, gradients: 'release' });
    optimizer.adopt(weights);
    failing('a');
    expect(() => minimize(optimizer, weights)).toThrow(/Gradients of 2 weights were taken/);
    const again = counted(() => minimize(optimizer, weights));
    const fresh = counted(() => minimize(optimizer, weights));
    expect(again).toEqual(fresh.slice(2));
    optimizer.dispose();
  });
});

test('released, a weight moves before the next gradient is computed', () => {
  const weights = make('a', 'b');
  const moved: number[] = [];
  const noting = tf.customGrad((x) => ({
    value: tf.mul(x as tf.Tensor, 1),
    gradFunc: (dy: tf.Tensor) => {
      moved.push(weights.filter((w) => valuesOf(w)[0] !== 0).length);
      return tf.mul(dy, 1);
    },
  }));
  const optimizer = sgd({ learningRate: 1, accumulate: 2, gradients: 'release' });
  const noted = () => tf.addN(weights.map((w) => tf.sum(noting(w)))) as tf.Scalar;
  for (let i = 0; i < 2; i++) optimizer.minimize(noted, false, weights);
  expect(moved).toEqual([0, 0, 0, 1]);
});

test('gradients that are clipped by value are averaged first', () => {
  const weights = make('a');
  const optimizer = momentum({ learningRate: 1, momentum: 0, accumulate: 2, clipValue: 1 });
  minimize(optimizer, weights, 9);
  minimize(optimizer, weights, -8);
  expect(weights.flatMap(valuesOf)).toEqual([-0.5]); // not (9 − 1) / 2, clipped or not
  optimizer.dispose();
});

describe('an update that fails', () => {
  test.each<[string, StepOptions]>([
    ['by value', { clipValue: 1e9 }],
    ['by their norm', { clipNorm: 1e9 }],
    ['by nothing', {}],
  ])('completeStep() moves each weight once, clipped %s', (_, options) => {
    const weights = make('a', 'b', 'c');
    const optimizer = sgd({ learningRate: 1, accumulate: 2, ...options });
    minimize(optimizer, weights);
    failing('b', 'c');
    const details = (changed: number, of: number) =>
      expect.objectContaining({ details: expect.objectContaining({ changed, of }) as object });
    expect(() => optimizer.completeStep()).toThrow(details(1, 3));
    expect(weights.flatMap(valuesOf)).toEqual([-0.5, 0, 0]);
    expect(() => optimizer.completeStep()).toThrow(details(1, 2));
    expect(weights.flatMap(valuesOf)).toEqual([-0.5, -0.5, 0]);
    expect(optimizer.completeStep()).toBe(true);
    expect(weights.flatMap(valuesOf)).toEqual([-0.5, -0.5, -0.5]);
    expect([optimizer.isAccumulating, optimizer.iterations]).toEqual([false, 1]);
  });

  test('clipped, all move by the norm of all, also those that are tried again', () => {
    const weights = make('a', 'b', 'c', 'd');
    const optimizer = sgd({ learningRate: 1, accumulate: 2, clipNorm: 0.5 });
    minimize(optimizer, weights); // the norm of four halves is 1
    failing('b');
    expect(() => optimizer.completeStep()).toThrow('1 of 4');
    expect(optimizer.completeStep()).toBe(true);
    expect(weights.flatMap(valuesOf)).toEqual([-0.25, -0.25, -0.25, -0.25]);
  });

  test('clipped, the last micro-batch taken again moves none twice', () => {
    const weights = make('a', 'b');
    const optimizer = sgd({ learningRate: 1, accumulate: 2, clipNorm: 1e9 });
    minimize(optimizer, weights);
    failing('b');
    expect(() => minimize(optimizer, weights)).toThrow('1 of 2');
    minimize(optimizer, weights);
    expect(weights.flatMap(valuesOf)).toEqual([-1, -1]);
    expect(optimizer.isAccumulating).toBe(false);
  });

  test.each<[string, StepOptions]>([
    ['by their norm', { clipNorm: 1e9 }],
    ['by nothing', {}],
  ])('another micro-batch after it is a new one for what has moved, clipped %s', (_, options) => {
    const weights = make('a', 'b');
    const optimizer = sgd({ learningRate: 1, accumulate: 2, ...options });
    minimize(optimizer, weights);
    failing('b');
    expect(() => optimizer.completeStep()).toThrow('1 of 2'); // a by ½
    minimize(optimizer, weights);
    // a by another ½; b by the mean of both.
    expect(weights.flatMap(valuesOf)).toEqual([-1, -1]);
  });

  test('taken again, a micro-batch takes the gradients of the others alone', () => {
    // Released gradients come in the other order.
    for (const [options, second] of [
      [{}, 'b'],
      [{ gradients: 'release' }, 'a'],
    ] as const) {
      const weights = make('a', 'b');
      const optimizer = momentum({ learningRate: 1, momentum: 0, accumulate: 2, ...options });
      failing(second);
      expect(() => minimize(optimizer, weights)).toThrow(/Gradients of 1 weights were taken/);
      expect(optimizer.isAccumulating).toBe(true);
      minimize(optimizer, weights);
      minimize(optimizer, weights);
      expect(weights.flatMap(valuesOf)).toEqual([-1, -1]);
      optimizer.dispose();
      tf.dispose(weights);
    }
  });
});

test('the state is not saved between micro-batches; the error counts them', async () => {
  const optimizer = sgd({ accumulate: 3 });
  minimize(optimizer, make('a'));
  await expect(optimizer.getWeights()).rejects.toMatchObject({ details: { taken: 1, of: 3 } });
  optimizer.reset();
});

describe('state on the host', () => {
  const SIZE = 4096;
  const large = () => tf.tidy(() => tf.variable(tf.zeros([SIZE]), true, 'large'));
  const onHost = () => {
    const host = new Host();
    registerEngine(tf.backend(), { device: currentDevice(), offloadedState: () => host });
    return host;
  };

  test.each(['keep', 'release'] as const)(
    'gradients %s: a mean needs it for the last micro-batch alone',
    (gradients) => {
      const host = onHost();
      const weight = large();
      const rule = adagrad({ accumulate: 2, moments: 'host:f32', gradients });
      minimize(rule, [weight]);
      expect(host.uploads).toBe(0);
      minimize(rule, [weight]);
      expect(host.uploads).toBe(1);
      rule.dispose();
    },
  );

  test('a micro-batch taken again needs the state of the others alone', () => {
    const host = new Host();
    const weights = ['a', 'b'].map((name) =>
      tf.tidy(() => tf.variable(tf.zeros([SIZE]), true, name)),
    );
    let failures = 1;
    registerEngine(tf.backend(), {
      device: currentDevice(),
      offloadedState: () => host,
      update: (update: WeightUpdate) => {
        if (update.weight.name === 'a' && failures-- > 0) throw new RangeError('no memory');
        updateWithTensors(update);
      },
    });
    const optimizer = momentum({ accumulate: 2, moments: 'host:f32', gradients: 'release' });
    expect(() => minimize(optimizer, weights)).toThrow(/Gradients of 1 weights were taken/);
    expect(host.uploads).toBe(2);
    minimize(optimizer, weights);
    expect(host.uploads).toBe(3);
    optimizer.dispose();
  });

  test('released gradients: it is there before the gradient is complete, and once', () => {
    for (const accumulate of [1, 2]) {
      const host = onHost();
      const weight = large();
      const optimizer = momentum({ accumulate, moments: 'host:f32', gradients: 'release' });
      optimizer.adopt([weight]);
      const seen: number[] = [];
      const double = tf.customGrad((x) => ({
        value: tf.mul(x as tf.Tensor, 2),
        gradFunc: (dy: tf.Tensor) => {
          seen.push(host.uploads);
          return tf.mul(dy, 2);
        },
      }));
      for (let i = 0; i < 2; i++) {
        optimizer.minimize(() => tf.sum(double(weight)), false, [weight]);
      }
      expect(seen).toEqual([1, 2]);
      expect(host.uploads).toBe(2);
      optimizer.dispose();
      weight.dispose();
    }
  });
});
