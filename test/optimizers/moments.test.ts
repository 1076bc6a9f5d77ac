import * as tf from '@tensorflow/tfjs-core';
import { adaptive, lookahead } from 'slowlane';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adagrad, adam, adamw, lion, momentum, rmsprop, sgd } from '#src/optimizers/index.js';
import type { StepOptions } from '#src/optimizers/step-options.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import { correlation } from '#bench/parity/comparison.js';
import { halfSquare, noise, onEveryEngine, valuesOf } from '../engines.js';

const q8 = { moments: 'device:q8' } as const;

const MAKES: [string, (options?: StepOptions) => WeightwiseOptimizer][] = [
  ['momentum', (options) => momentum(options)],
  ['adagrad', (options) => adagrad(options)],
  ['rmsprop', (options) => rmsprop({ momentum: 0.5, centered: true, epsilon: 1e-3, ...options })],
  ['adam', (options) => adam(options)],
  ['adamw', (options) => adamw(options)],
  ['lion', (options) => lion(options)],
];

describe('the option', () => {
  test.each(MAKES)('%s checks it', (_, make) => {
    expect(() => make({ moments: 'device:q4' as never })).toThrow(
      `moments must be 'device:f32', 'device:q8', 'host:f32' or 'host:q8', got "device:q4" (string).`,
    );
    expect(() => make({ moments: 8 as never })).toThrow(TypeError);
    expect(make(q8).getConfig()).toMatchObject(q8);
    expect(make({ moments: 'device:f32' }).getConfig()).not.toHaveProperty('moments');
  });

  test('sgd has no moments and takes either', () => {
    expect(sgd(q8).hidesState).toBe(false);
    expect(() => lookahead(sgd(q8), { innerState: 'interpolate' })).not.toThrow();
  });

  test('lookahead refuses at construction what needs float32 moments', () => {
    expect(() => lookahead(adam(q8), { innerState: 'interpolate' })).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_INNER',
        message: expect.stringMatching(
          /float32 on the device.*Use moments: 'device:f32', or innerState/,
        ) as string,
      }),
    );
    expect(() => lookahead(adam(q8), { slowStepSize: adaptive() })).toThrow(
      /adaptive\(\) needs a second moment in float32.*or the option 'curvature'/,
    );
    const curvature = (weight: tf.Variable) => tf.onesLike(weight);
    for (const options of [
      { innerState: 'reset' as const },
      { slowStepSize: adaptive({ curvature }) },
      { nonFinite: 'restore' as const },
    ]) {
      expect(() => lookahead(adam(q8), options)).not.toThrow();
    }
  });
});

onEveryEngine(() => {
  let before = 0;
  beforeEach(() => {
    before = tf.memory().numTensors;
  });
  afterEach(() => {
    tf.disposeVariables();
    expect(tf.memory().numTensors).toBe(before);
  });

  const weightOf = (size: number, name?: string) =>
    tf.tidy(() => tf.variable(noise([size], 3), true, name));
  const step = (optimizer: WeightwiseOptimizer, ...weights: tf.Variable[]) =>
    optimizer.minimize(() => tf.addN<tf.Scalar>(weights.map(halfSquare)), false, weights);
  const slotsOf = async (optimizer: WeightwiseOptimizer) => {
    const [, ...slots] = await optimizer.getWeights();
    return Promise.all(slots.map(async ({ tensor }) => (await tensor.data<'float32'>()).slice()));
  };

  test('the names and sizes of what is kept: weights of less than 4,096 elements stay float32', () => {
    const [large, small] = [weightOf(5000, 'large'), weightOf(4095, 'small')];
    const optimizer = adam(q8);
    const bytes = tf.memory().numBytes;
    optimizer.adopt([large, small]);
    // 5,000 elements are 20 blocks.
    expect(tf.memory().numBytes - bytes).toBe(2 * (20 * 256 + 20 * 4) + 2 * 4 * 4095);
    const known = tf.engine().registeredVariables;
    const kept = Object.values(known).filter(({ trainable }) => !trainable);
    expect(kept.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ['large/scales', 'float32', [2, 20]],
      ['large/m', 'int32', [20, 64]],
      ['large/v', 'int32', [20, 64]],
      ['small/m', 'float32', [4095]],
      ['small/v', 'float32', [4095]],
    ]);
    expect(optimizer.state().map(({ variable }) => variable.name)).toEqual([
      'large/scales',
      'small/m',
      'small/v',
    ]);
    optimizer.dispose();
    expect(tf.memory().numBytes).toBe(bytes);
  });

  test.each(MAKES)(
    '%s: a step leaves nothing behind, and the first is that of float32',
    (_, make) => {
      const [a, b] = [weightOf(5000), weightOf(5000)];
      const [coded, plain] = [make(q8), make()];
      step(plain, b);
      step(coded, a);
      // Its slots begin exact (adagrad's at 0.1), and the formula ran on float32.
      expect(valuesOf(a)).toEqual(valuesOf(b));
      const { numTensors, numBytes } = tf.memory();
      for (let i = 0; i < 3; i++) step(coded, a);
      expect(tf.memory()).toMatchObject({ numTensors, numBytes });
      coded.dispose();
      plain.dispose();
    },
  );

  test.each(MAKES)('%s goes on bit for bit after a restore', async (_, make) => {
    const a = weightOf(5000, 'resumed');
    const original = make(q8);
    for (let i = 0; i < 3; i++) step(original, a);
    const tensors = tf.memory().numTensors;
    const saved = await original.getWeights();
    expect(tf.memory().numTensors).toBe(tensors); // on the host
    const b = tf.tidy(() => tf.variable(tf.clone(a), true, 'resumed_1'));
    const [waiting, known] = [make(q8), make(q8)];
    const c = tf.tidy(() => tf.variable(tf.clone(a), true, 'resumed_2'));
    step(known, c); // has seen its weight already
    tf.tidy(() => c.assign(tf.clone(a)));
    await waiting.setWeights(saved);
    await known.setWeights(saved);
    expect(await slotsOf(known)).toEqual(await slotsOf(original));
    for (let i = 0; i < 3; i++) {
      step(original, a);
      step(waiting, b);
      step(known, c);
    }
    for (const weight of [b, c]) expect(valuesOf(weight)).toEqual(valuesOf(a));
    for (const restored of [waiting, known]) {
      expect(await slotsOf(restored)).toEqual(await slotsOf(original));
    }
    for (const optimizer of [original, waiting, known]) optimizer.dispose();
  });

  test('a state of float32 moments can be loaded into 8-bit ones, and back', async () => {
    const a = weightOf(5000, 'converted');
    const plain = adam();
    for (let i = 0; i < 3; i++) step(plain, a);
    const [coded, back] = [adam(q8), adam()];
    await coded.setWeights(await plain.getWeights());
    coded.adopt([a]);
    await back.setWeights(await coded.getWeights());
    back.adopt([a]);
    const [m, v] = await slotsOf(plain);
    const decoded = await slotsOf(coded);
    expect(await slotsOf(back)).toEqual(decoded);
    expect(back.iterations).toBe(3);
    // Half a step of the code, where it is even: in √m and ⁴√v.
    const bent = [(x: number) => Math.sqrt(Math.abs(x)), (x: number) => x ** 0.25];
    for (const [s, values] of [m, v].entries()) {
      const bend = bent[s] ?? Math.abs;
      const halfStep =
        (1.01 * 0.5 * bend(Math.max(...(values ?? []).map(Math.abs)))) / (s === 0 ? 127 : 255);
      for (const [i, x] of (values ?? []).entries()) {
        const y = decoded[s]?.[i] ?? NaN;
        expect(Math.abs(bend(x) - bend(y))).toBeLessThanOrEqual(halfStep);
        expect(x * y).toBeGreaterThanOrEqual(0);
      }
    }
    for (const optimizer of [plain, coded, back]) optimizer.dispose();
  });

  test('reset: moments and bias corrections are as new, the variables stay', async () => {
    const a = weightOf(5000);
    for (const optimizer of [adam(q8), adagrad({ initialAccumulatorValue: 0.5, ...q8 })]) {
      step(optimizer, a);
      const variables = optimizer.state().map(({ variable }) => variable);
      optimizer.reset();
      const initial =
        optimizer instanceof Object && (await slotsOf(optimizer)).map((x) => new Set(x));
      expect(initial).toEqual(
        variables[0]?.shape[0] === 2 ? [new Set([0]), new Set([0])] : [new Set([0.5])],
      );
      expect(optimizer.state().map(({ variable }) => variable)).toEqual(variables);
      optimizer.dispose();
    }
  });

  test('secondMoment is not to be had', () => {
    const a = weightOf(5000);
    const optimizer = adam(q8);
    step(optimizer, a);
    expect(optimizer.hasSecondMoment).toBe(false);
    expect(optimizer.secondMoment(a)).toBeNull();
    optimizer.dispose();
  });

  test('gradients released: the same numbers', () => {
    const [a, b] = [weightOf(5000), weightOf(5000)];
    const [kept, released] = [adam(q8), adam({ gradients: 'release', ...q8 })];
    for (let i = 0; i < 3; i++) {
      step(kept, a);
      step(released, b);
    }
    expect(valuesOf(b)).toEqual(valuesOf(a));
    kept.dispose();
    released.dispose();
  });

  test('lookahead resets, and discard() gives up moments that are not finite', async () => {
    const a = weightOf(4096, 'spoilt');
    const inner = adam(q8);
    const optimizer = lookahead(inner, { syncPeriod: 2, innerState: 'reset' });
    for (let i = 0; i < 2; i++) await optimizer.step(() => halfSquare(a), false, [a]);
    expect((await slotsOf(inner)).map((x) => Math.max(...x))).toEqual([0, 0]);
    await optimizer.step(() => tf.mul<tf.Scalar>(halfSquare(a), NaN), false, [a]);
    expect(valuesOf(a)[0]).toBeNaN();
    await optimizer.discard();
    expect(valuesOf(a).every(Number.isFinite)).toBe(true);
    expect((await slotsOf(inner)).map((x) => Math.max(...x))).toEqual([0, 0]);
    optimizer.dispose();
  });
});

describe('parity: a regression with a hidden layer, 200 steps', () => {
  // 64 → 96 → 64, of another such network; the kernels have 6,144 elements each.
  const SIZES = [64, 96, 64] as const;
  const STEPS = 200;
  const network = (weights: readonly tf.Tensor[], x: tf.Tensor) =>
    tf.matMul(tf.tanh(tf.matMul(x, weights[0] as tf.Tensor2D)), weights[1] as tf.Tensor2D);

  async function losses(make: () => WeightwiseOptimizer, seed: number): Promise<number[]> {
    await tf.setBackend('wasm');
    const kernels = (from: number) =>
      [0, 1].map((i) =>
        tf.randomNormal([SIZES[i] ?? 0, SIZES[i + 1] ?? 0], 0, 1 / 8, 'float32', from + i),
      );
    const teacher = kernels(100 * seed);
    const weights = kernels(100 * seed + 50).map((kernel) => tf.tidy(() => tf.variable(kernel)));
    const optimizer = make();
    const found: number[] = [];
    for (let i = 0; i < STEPS; i++) {
      const cost = tf.tidy(() => {
        const x = tf.randomNormal([64, SIZES[0]], 0, 1, 'float32', 1000 * seed + i + 1);
        const y = network(teacher, x);
        const loss = () => tf.mean<tf.Scalar>(tf.square(tf.sub(network(weights, x), y)));
        return optimizer.minimize(loss, true, weights) as tf.Scalar;
      });
      found.push((await cost.data<'float32'>())[0] ?? NaN);
      cost.dispose();
    }
    optimizer.dispose();
    tf.disposeVariables();
    tf.dispose(teacher);
    return found;
  }

  const lastOf = (all: readonly number[]) => all.slice(-20).reduce((sum, x) => sum + x, 0) / 20;

  test.each<[string, number, number, (options?: StepOptions) => WeightwiseOptimizer]>([
    ['adam', 3, 0.01, (options) => adam({ learningRate: 3e-3, ...options })],
    ['adamw', 1, 0.01, (options) => adamw({ learningRate: 3e-3, ...options })],
    ['momentum', 1, 0.01, (options) => momentum({ learningRate: 1, ...options })],
    ['rmsprop', 1, 0.01, (options) => rmsprop({ learningRate: 1e-3, ...options })],
    [
      'rmsprop, all',
      1,
      0.01,
      (options) => rmsprop({ learningRate: 1e-3, momentum: 0.5, centered: true, ...options }),
    ],
    ['lion', 1, 0.01, (options) => lion({ learningRate: 5e-4, ...options })],
    // A sum grows by less than a step of the code, and so in proportion to the largest of its block.
    ['adagrad', 1, 0.01, (options) => adagrad({ learningRate: 1e-2, ...options })],
  ])('%s', async (_, seeds, tolerance, make) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const plain = await losses(make, seed);
      const coded = await losses(() => make(q8), seed);
      expect(lastOf(plain)).toBeLessThan(0.75 * (plain[0] ?? NaN));
      expect(Math.abs(lastOf(coded) / lastOf(plain) - 1)).toBeLessThan(tolerance);
      expect(correlation(coded, plain)).toBeGreaterThan(0.999);
    }
  });
});
