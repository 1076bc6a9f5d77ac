// Fused updates: which rules have them, that they compute what tensor operations do, and that nobody else's
// memory is written.

import { readFileSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import {
  adagrad,
  adam,
  type AdamOptions,
  adamw,
  lion,
  lookahead,
  momentum,
  rmsprop,
  sgd,
} from 'slowlane';
import { beforeAll, describe, expect, test } from 'vitest';

import type { TensorFlowBackend } from '#src/tfjs/tensorflow-backend.js';
import { type Engine, engineOf, registerEngine, unregisterEngine } from '#src/engine/engine.js';

import { opsOf, start, values, variable } from './engine.js';

let backend: TensorFlowBackend;
beforeAll(async () => {
  const started = await start();
  backend = started.backend;
  expect(started.engine.updatesInPlace).toBe(true);
});

const FUSED: [string, string, () => tf.Optimizer][] = [
  ['sgd', 'ResourceApplyGradientDescent', () => sgd({ learningRate: 0.1 })],
  ['momentum', 'ResourceApplyMomentum', () => momentum({ learningRate: 0.05 })],
  ['nesterov', 'ResourceApplyMomentum', () => momentum({ learningRate: 0.05, nesterov: true })],
  ['adam', 'ResourceApplyAdam', () => adam({ learningRate: 0.01 })],
  [
    'adam with a large epsilon',
    'ResourceApplyAdam',
    () => adam({ learningRate: 0.01, beta1: 0, beta2: 0, epsilon: 0.1 }),
  ],
  [
    'adamw',
    'ResourceApplyAdam',
    () => adamw({ learningRate: 0.01, weightDecay: 0.5, clipValue: 0.4 }),
  ],
  [
    'rmsprop with momentum',
    'ResourceApplyRMSProp',
    () => rmsprop({ learningRate: 0.01, momentum: 0.5, clipNorm: 0.3 }),
  ],
];

const SHAPES = [[], [7], [5, 3], [0, 4], [2, 3, 4]];

/** The weights after 20 steps on gradients that are the same for every optimizer. */
function trained(optimizer: tf.Optimizer): number[][] {
  const weights = SHAPES.map((shape, i) => variable(shape, i));
  for (let step = 0; step < 20; step++) {
    const pairs = weights.map(({ name, shape, size }, i) => ({
      name,
      tensor: tf.tensor(values(size, 10 * step + i + 5), shape),
    }));
    optimizer.applyGradients(pairs);
    tf.dispose(pairs.map(({ tensor }) => tensor));
  }
  const result = weights.map((weight) => [...weight.dataSync()]);
  optimizer.dispose();
  tf.dispose(weights);
  return result;
}

describe('rules that TensorFlow has an op for', () => {
  test('micro-batches in the moments: 20 of them are 10 steps, as by tensor operations', () => {
    // The last micro-batch has the formula of a step with other numbers (β = 1), which the op would take for its own.
    const make = () => adam({ learningRate: 0.01, accumulate: 2 });
    const inPlace = trained(make());
    const engine = engineOf(backend) as Engine;
    unregisterEngine(backend);
    const plain = trained(make());
    registerEngine(backend, engine);
    inPlace.flat().forEach((value, i) => {
      expect(Math.abs(value - (plain.flat()[i] ?? NaN))).toBeLessThan(2e-6);
    });
  });

  test.each(FUSED)('%s: %s, and the same weights as by tensor operations', (_, op, make) => {
    let fused: number[][] = [];
    const ops = opsOf(backend, () => (fused = trained(make())));
    // The weight without elements has nothing to update.
    expect(ops.filter((name) => name === op)).toHaveLength(20 * (SHAPES.length - 1));
    const engine = engineOf(backend) as Engine;
    unregisterEngine(backend);
    const plain = trained(make());
    registerEngine(backend, engine);
    fused.flat().forEach((value, i) => {
      expect(Math.abs(value - (plain.flat()[i] ?? NaN))).toBeLessThan(2e-6);
    });
  });

  test.each([
    ['rmsprop', () => rmsprop()],
    ['centered rmsprop', () => rmsprop({ momentum: 0.5, centered: true })],
    ['adagrad', () => adagrad()],
    ['lion', () => lion()],
    ['8-bit adam', () => adam({ moments: 'device:q8' })],
  ])('%s: no such op, tensor operations', (_, make) => {
    const weight = variable([5000], 1);
    const optimizer = make();
    const ops = opsOf(backend, () => optimizer.applyGradients({ [weight.name]: weight }));
    expect(ops.filter((name) => name.startsWith('Resource'))).toEqual([]);
    optimizer.dispose();
    weight.dispose();
  });
});

describe('whose memory is written', () => {
  const optimizers: [string, AdamOptions][] = [
    ['adam', {}],
    ['clipped adam', { clipValue: 0.1 }],
  ];
  test.each(optimizers)(
    '%s leaves a clone, a view, a slice and the caller’s array alone',
    (_, options) => {
      const array = new Float32Array(new ArrayBuffer(4096 * 4)).fill(1);
      const given = tf.tensor1d(array);
      const weight = tf.variable(given);
      const others = [
        given,
        weight.clone(),
        tf.reshape(weight, [64, 64]),
        tf.slice1d(weight, 0, 64),
      ];
      const optimizer = adam({ learningRate: 0.5, ...options });
      const gradient = tf.ones([4096]);
      for (let i = 0; i < 2; i++) optimizer.applyGradients({ [weight.name]: gradient });
      expect(weight.dataSync()[7]).toBeCloseTo(0, 4);
      expect(new Set(array)).toEqual(new Set([1]));
      for (const other of others) expect(new Set(other.dataSync())).toEqual(new Set([1]));
      expect(new Set(gradient.dataSync())).toEqual(new Set([1]));
      tf.dispose([weight, gradient, ...others]);
      optimizer.dispose();
    },
  );

  test('a weight that is its own gradient: w − ½ w', () => {
    const weight = tf.variable(tf.tensor1d([2, 4]));
    sgd({ learningRate: 0.5 }).applyGradients({ [weight.name]: weight });
    expect([...weight.dataSync()]).toEqual([1, 2]);
    weight.dispose();
  });

  test.each([
    ['adam', () => adam({ learningRate: 0.1 })],
    ['adamw', () => adamw({ learningRate: 0.1, weightDecay: 1 })],
  ])('%s: an op that fails leaves weight and slots as they were', (_, make) => {
    const [weight, same] = [variable([3], 1), variable([3], 1)];
    const [optimizer, undisturbed] = [make(), make()];
    const gradient = tf.tensor1d([1, 2, 3]);
    optimizer.applyGradients({ [weight.name]: gradient });
    const before = [...weight.dataSync()];
    const fail = (name: string) => {
      if (name === 'ResourceApplyAdam') throw new Error('out of memory');
    };
    const step = () => optimizer.applyGradients({ [weight.name]: gradient });
    expect(() => opsOf(backend, step, fail)).toThrow('out of memory');
    expect([...weight.dataSync()]).toEqual(before);
    optimizer.applyGradients({ [weight.name]: gradient });
    for (let i = 0; i < 2; i++) undisturbed.applyGradients({ [same.name]: gradient });
    expect([...weight.dataSync()]).toEqual([...same.dataSync()]);
  });

  test('nothing is left behind: as many tensors in TensorFlow after 200 steps as after 100', async () => {
    const weight = variable([10], 1);
    // A schedule: other numbers at every step.
    const optimizer = lookahead(adam({ learningRate: (step) => 0.1 / (1 + step) }));
    const run = async () => {
      for (let i = 0; i < 100; i++) {
        await optimizer.step(() => tf.sum<tf.Scalar>(tf.square(weight)), false, [weight]);
      }
      return backend.binding.getNumOfTensors();
    };
    const after100 = await run();
    expect(Math.abs((await run()) - after100)).toBeLessThan(70); // numbers of steps, 64 and a few
    await optimizer.finish();
    optimizer.dispose();
  });

  test('adam on 64 MB of weights needs less than 16 MB beside them and its slots', () => {
    const size = 2 ** 24;
    const [weight, gradient] = [tf.tidy(() => tf.variable(tf.ones([size]))), tf.ones([size])];
    const optimizer = adam();
    const step = () => optimizer.applyGradients({ [weight.name]: gradient });
    step(); // makes the slots
    const before = peakMegabytes(step);
    expect(before).toBeLessThan(16);
    const engine = engineOf(backend) as Engine;
    unregisterEngine(backend);
    expect(peakMegabytes(step)).toBeGreaterThan(64); // tensor operations, to compare
    registerEngine(backend, engine);
    tf.dispose([weight, gradient]);
    optimizer.dispose();
  });
});

/** How far the process's memory rises above where it is now while `work` runs. Linux. */
function peakMegabytes(work: () => void): number {
  const read = (what: string) => {
    const [, kilobytes = NaN] =
      new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return Number(kilobytes) / 1000;
  };
  writeFileSync('/proc/self/clear_refs', '5'); // the peak begins anew
  const before = read('VmRSS');
  work();
  return read('VmHWM') - before;
}
