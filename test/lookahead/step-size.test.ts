// The slow step size: schedules, overrides, and the adaptive one of Proposition 1.

import * as tf from '@tensorflow/tfjs-core';
import { adam, adaptive, lookahead, rmsprop, schedules, sgd } from 'slowlane';
import { describe, expect, test } from 'vitest';

import {
  adaptiveStepSize,
  checkCurvature,
  stepSizeConfig,
  stepSizeFrom,
} from '#src/lookahead/step-size.js';

import golden from '../golden.json' with { type: 'json' };
import { halfSquare, noise, onEveryEngine, valuesOf } from '../engines.js';

test('Proposition 1 for one number: r = −0.5, k = 1 gives 2/3; r = 0.9, k = 5 gives 2.4419, clipped to 1', () => {
  // a = 1, θ* = 0, θ₀ = 1, θ_k = rᵏ: d = 1 − rᵏ, g = rᵏ
  const best = (r: number, k: number, min = 0) => {
    const [theta, d] = [r ** k, 1 - r ** k];
    return adaptiveStepSize(theta * d, d * d, min);
  };
  expect(best(-0.5, 1)).toBeCloseTo(2 / 3, 12);
  expect(1 + 0.9 ** 5 / (1 - 0.9 ** 5)).toBeCloseTo(2.4419, 4);
  expect(best(0.9, 5)).toBe(1);
  expect(best(-0.99, 1, 0.6)).toBe(0.6);
  expect(adaptiveStepSize(1, 0, 0.1)).toBe(1); // nothing moved
  expect(adaptiveStepSize(-1, 0, 0.1)).toBe(1);
  expect(adaptiveStepSize(1, -2, 0.1)).toBe(1); // no minimum: not 1 − ½
  expect(() => adaptiveStepSize(1, Infinity, 0.1)).toThrow(/dᵀÂd is Infinity/);
  expect(() => adaptiveStepSize(NaN, 1, 0.1)).toThrow(/gᵀd is NaN/);
});

test('as JSON and back: a number, a schedule and adaptive() without a function', () => {
  const schedule = schedules.cosine({ initial: 0.8, decaySteps: 10, final: 0.5 });
  for (const stepSize of [0.25, schedule, adaptive({ min: 0.3 })]) {
    const saved = JSON.parse(JSON.stringify(stepSizeConfig(stepSize))) as never;
    const loaded = stepSizeFrom(saved);
    expect(stepSizeConfig(loaded)).toEqual(stepSizeConfig(stepSize));
    expect(typeof loaded).toBe(typeof stepSize);
  }
  expect(stepSizeFrom(stepSizeConfig(adaptive({ min: 0.3 })))).toEqual(adaptive({ min: 0.3 }));
  const found = stepSizeFrom(stepSizeConfig(schedule)) as typeof schedule;
  expect([0, 5, 10].map(found.at)).toEqual([0, 5, 10].map(schedule.at));
  const refused = expect.objectContaining({ code: 'NOT_SERIALIZABLE' });
  const functions = [adaptive({ curvature: (w) => w }), () => 0.5, { at: () => 0.5 }];
  for (const stepSize of functions) expect(() => stepSizeConfig(stepSize)).toThrow(refused);
});

onEveryEngine(() => {
  test('a curvature has the shape of its weight, and is float32', () => {
    const weight = tf.tidy(() => tf.variable(tf.zeros([2, 3]), true, 'w'));
    const given =
      (shape: number[], dtype: 'float32' | 'int32' = 'float32') =>
      () =>
        tf.tidy(() => checkCurvature(tf.zeros(shape, dtype), weight));
    expect(given([2, 3])).not.toThrow();
    expect(given([3, 2])).toThrow(
      "curvature of 'w' must be float32 of shape [2, 3], got float32 of shape [3, 2].",
    );
    expect(given([2, 3], 'int32')).toThrow('got int32 of shape [2, 3].');
    weight.dispose();
  });

  test('a schedule is asked with the sync index: α = 1, ½, ¼ of −2 each cycle', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const asked: number[] = [];
    const slowStepSize = (index: number) => {
      asked.push(index);
      return 0.5 ** index;
    };
    const y = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), {
      syncPeriod: 2,
      slowStepSize,
      workers: 0,
    });
    const after: number[] = [];
    for (let i = 0; i < 6; i++) {
      await optimizer.step(() => tf.add(tf.sum(x), tf.sum(y)), false, [x, y]);
      if (i % 2 === 1) after.push(...valuesOf(x));
    }
    expect(after).toEqual([-2, -3, -3.5]);
    expect(asked).toEqual([0, 1, 2]); // once a sync, not once a weight
    expect(valuesOf(y)).toEqual([-3.5]);
  });

  test('a schedule that leaves [0, 1] is refused before anything is moved', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const optimizer = lookahead(sgd({ learningRate: 1 }), {
      syncPeriod: 1,
      slowStepSize: () => 2,
      workers: 0,
    });
    const step = optimizer.step(() => tf.sum(x), false, [x]);
    await expect(step).rejects.toThrow(
      'slowStepSize at sync 0 must be a finite number ≥ 0 and ≤ 1, got 2.',
    );
    expect(valuesOf(x)).toEqual([-1]);
  });

  test('the schedules of the learning rate serve as schedules of α', async () => {
    const x = tf.variable(tf.tensor1d([0]));
    const slowStepSize = schedules.step({ initial: 1, every: 1, factor: 0.5 });
    const optimizer = lookahead(sgd({ learningRate: 1 }), {
      syncPeriod: 1,
      slowStepSize,
      workers: 0,
    });
    for (let i = 0; i < 3; i++) await optimizer.step(() => tf.sum(x), false, [x]);
    expect(valuesOf(x)).toEqual([-1.75]); // −1 −½ −¼
  });

  test('overrides give weights their own step size; excluded ones follow the inner optimizer', async () => {
    const named = (name: string) =>
      tf.variable(tf.tensor1d([0]), true, `${name}_${tf.getBackend()}`);
    const [a, b, c, d] = ['plain', 'near', 'far', 'free'].map(named) as [
      tf.Variable,
      tf.Variable,
      tf.Variable,
      tf.Variable,
    ];
    const optimizer = lookahead(sgd({ learningRate: 1 }), {
      syncPeriod: 2,
      overrides: [
        { weights: b.name, slowStepSize: 0.25 },
        { weights: /^far/g, slowStepSize: 1 },
        { weights: (weight) => weight.name.startsWith('free'), exclude: true },
      ],
      workers: 0,
    });
    const weights = [a, b, c, d];
    const loss = () => tf.addN(weights.map((w) => tf.sum(w))) as tf.Scalar;
    const seen: number[][] = [];
    for (let i = 0; i < 4; i++) {
      await optimizer.step(loss, false, weights);
      seen.push(weights.flatMap(valuesOf));
    }
    expect(seen).toEqual([
      [-1, -1, -1, -1],
      [-1, -0.5, -2, -2], // a: half of −2; b: a quarter; c: all of it; d: no Lookahead
      [-2, -1.5, -3, -3],
      [-2, -1, -4, -4], // a: −1 + half of −2; b: −½ + a quarter of −2
    ]);
    await optimizer.withSlowWeights(() =>
      expect(weights.flatMap(valuesOf)).toEqual([-2, -1, -4, -4]),
    );
  });

  describe('adaptive', () => {
    const { A, b, theta0, steps, cases } = golden.adaptiveAlpha;

    test.each(cases)(
      'golden: learning rate $learningRate gives α = $alpha',
      async ({ learningRate, thetaK, alpha }) => {
        const x = tf.variable(tf.tensor1d(theta0));
        // ½xᵀAx − bᵀx: gradient Ax − b, curvature A
        const loss = () =>
          tf.sub<tf.Scalar>(tf.mul(tf.sum(tf.mul(A, tf.square(x))), 0.5), tf.sum(tf.mul(b, x)));
        const optimizer = lookahead(sgd({ learningRate }), {
          syncPeriod: steps,
          slowStepSize: adaptive({ min: 0, curvature: () => tf.tensor1d(A) }),
          workers: 0,
        });
        for (let i = 0; i < steps; i++) await optimizer.step(loss, false, [x]);
        valuesOf(x).forEach((value, i) => {
          const [from, to] = [theta0[i] as number, thetaK[i] as number];
          expect(value).toBeCloseTo(from + alpha * (to - from), 4);
        });
      },
    );

    test.each([
      ['adam()', () => adam({ learningRate: 0.3 })],
      ['rmsprop()', () => rmsprop({ learningRate: 0.3 })],
      ['tf.train.adam', () => tf.train.adam(0.3)],
    ])(
      '%s: the second moment is the curvature, and chunk size does not matter',
      async (_, inner) => {
        const run = async (chunkBytes: number) => {
          const x = tf.variable(noise([50], 4));
          const optimizer = lookahead(inner(), {
            syncPeriod: 3,
            slowStepSize: adaptive({ min: 0.05 }),
            chunkBytes,
            workers: 0,
          });
          const { numTensors } = tf.memory();
          for (let i = 0; i < 9; i++) await optimizer.step(() => halfSquare(x), false, [x]);
          const values = valuesOf(x);
          optimizer.dispose();
          expect(tf.memory().numTensors).toBeLessThanOrEqual(numTensors);
          return values;
        };
        const whole = await run(4 * 2 ** 20);
        expect(await run(28)).toEqual(whole);
        expect(whole.every(Number.isFinite)).toBe(true);
      },
    );

    test('with adam, α is 1 + gᵀd / dᵀv̂d, redone by hand', async () => {
      const x = tf.variable(tf.tensor1d([3, -2]));
      const optimizer = lookahead(adam({ learningRate: 1, beta1: 0, beta2: 0.5, epsilon: 1e-7 }), {
        syncPeriod: 1,
        slowStepSize: adaptive({ min: 0 }),
        workers: 0,
      });
      await optimizer.step(() => halfSquare(x), false, [x]);
      // Adam's first step: 3 → 2, −2 → −1. d = (1, −1); g = (2, −1); v̂ = (9, 4).
      // 1 + (2 + 1) / (9 + 4) = 1.23…, clipped to 1
      const [first = 0, second = 0] = valuesOf(x);
      expect(first).toBeCloseTo(2, 5);
      expect(second).toBeCloseTo(-1, 5);
      // 2 → 1, −1 → 0 and beyond by the noise of v̂ … from a loss whose minimum lies behind: g turns round.
      const y = tf.variable(tf.tensor1d([0.25, -0.25]));
      const other = lookahead(adam({ learningRate: 1, beta1: 0, beta2: 0.5, epsilon: 1e-7 }), {
        syncPeriod: 1,
        slowStepSize: adaptive({ min: 0 }),
        workers: 0,
      });
      const steep = () => tf.mul<tf.Scalar>(halfSquare(y), 4); // g = 4y = (1, −1), v̂ = (1, 1)
      await other.step(steep, false, [y]);
      // 0.25 → −0.75: d = (1, −1), g = (−3, 3): 1 + (−3 − 3) / (1 + 1) = −2, clipped to min 0: back to 0.25
      expect(valuesOf(y)).toEqual([0.25, -0.25]);
    });

    test('without the gradient at the fast weights it refuses: in mid-cycle and with applyGradients', async () => {
      const x = tf.variable(tf.tensor1d([1]));
      const optimizer = lookahead(adam(), { syncPeriod: 3, slowStepSize: adaptive(), workers: 0 });
      await optimizer.step(() => halfSquare(x), false, [x]);
      await expect(optimizer.sync({ early: true })).rejects.toMatchObject({ code: 'NO_GRADIENT' });
      expect(() => optimizer.applyGradients({ [x.name]: tf.ones([1]) })).toThrow(
        /minimize\(\) or step\(\)/,
      );
      await optimizer.step(() => halfSquare(x), false, [x]);
      await optimizer.step(() => halfSquare(x), false, [x]); // and a whole cycle works
      expect(optimizer.stats().syncs).toBe(1);
    });
  });
});
