// A step of micro-batches that breaks off, is given up, or is completed early: no gradient is lost or counted twice.

import * as tf from '@tensorflow/tfjs-core';
import { adagrad, momentum, sgd, type StepOptions } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { registerEngine } from '#src/engine/engine.js';
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
