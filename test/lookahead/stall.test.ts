// Slow weights that stall: the warning, the error, and training that goes on.
//
// A float32 of 100 has places of 2⁻¹⁷. Steps of one place each give θ − φ = 5 places after a cycle of 5; α = 0.05 wants
// ¼ of a place of that, which rounds to nothing: the slow weights never move.

import * as tf from '@tensorflow/tfjs-core';
import {
  adam,
  lookahead,
  type LookaheadOptions,
  schedules,
  sgd,
  SlowlaneError,
  type SlowFormat,
} from 'slowlane';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { halfSquare, noise, onEveryEngine, slowOf, valuesOf } from '../engines.js';

const PLACE = 2 ** -17;

let warned: string[] = [];

beforeEach(() => {
  warned = [];
  vi.spyOn(console, 'warn').mockImplementation((text: string) => {
    if (text.startsWith('slowlane:')) warned.push(text);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  tf.disposeVariables();
});

/** 100 weights of 100 that lose a place at each step. */
function stalling(options: LookaheadOptions = {}) {
  const weight = tf.tidy(() => tf.variable(tf.fill([10, 10], 100)));
  const optimizer = lookahead(sgd({ learningRate: PLACE }), { slowStepSize: 0.05, ...options });
  const step = () => optimizer.step(() => tf.sum<tf.Scalar>(weight), false, [weight]);
  return { weight, optimizer, step };
}

async function errorOf(work: () => Promise<unknown>): Promise<SlowlaneError | null> {
  try {
    await work();
  } catch (error) {
    if (error instanceof SlowlaneError) return error;
    throw error;
  }
  return null;
}

onEveryEngine(() => {
  test.each([
    ['workers', {}],
    ['no worker', { workers: 0 }],
    ['chunks of 16 weights', { chunkBytes: 64, workers: 0 }],
  ])(
    'float32 that stalls, %s: a warning, then one error, after a sync that is complete',
    async (_, options) => {
      const { weight, optimizer, step } = stalling(options);
      // n samples lost n/4, and chance loses up to 1.7 + √(2.8 + 7.5 n): the warning takes 200, the error 600.
      for (let i = 0; i < 10; i++) await step();
      const [first = '', ...more] = warned;
      expect(more).toEqual([]);
      expect(first).toContain(
        'Slow weights in f32 stall: of the movement that syncs wanted, 100.0 %',
      );
      expect(first).toContain('up to step 10');
      expect(first).toContain('a larger slowStepSize, syncPeriod or learning rate');

      let error: SlowlaneError | null = null;
      while (!error && optimizer.iterations < 40) error = await errorOf(step);
      expect(error).toMatchObject({
        code: 'STALLED',
        details: { format: 'f32', unmoved: 1, samples: 600, step: 30 },
      });
      expect(error?.details['share']).toBeCloseTo(1, 3);
      expect(error?.message).toContain('This sync is complete');
      expect(error?.message).toContain("stall: 'warn'");

      // Nothing is due or lost: fast and slow weights are one, and the next step can be taken.
      expect([optimizer.due, optimizer.stats().syncs, optimizer.iterations]).toEqual([
        false,
        6,
        30,
      ]);
      const hundreds = Array.from({ length: 100 }, () => 100);
      expect([valuesOf(weight), (await slowOf(optimizer))[0]]).toEqual([hundreds, hundreds]);
      optimizer.minimize(() => tf.sum<tf.Scalar>(weight), false, [weight]);
      expect(valuesOf(weight)[0]).toBe(100 - PLACE);
      while (optimizer.iterations < 100) await step(); // it is thrown once
      await optimizer.finish();
      expect(optimizer.stats()).toMatchObject({ syncs: 20, stall: { unmoved: 1, samples: 2000 } });
      expect(warned).toHaveLength(1);
      optimizer.dispose();
    },
  );
});

test("stall: 'warn' warns once and never throws; 'ignore' does not look", async () => {
  const warning = stalling({ stall: 'warn', workers: 0 });
  for (let i = 0; i < 100; i++) await warning.step();
  expect(warned).toHaveLength(1);
  expect(warning.optimizer.stats().stall).toMatchObject({ unmoved: 1, samples: 2000 });
  warning.optimizer.dispose();

  const ignoring = stalling({ stall: 'ignore', workers: 0 });
  for (let i = 0; i < 100; i++) await ignoring.step();
  expect(warned).toHaveLength(1);
  expect(ignoring.optimizer.stats().stall).toEqual({ share: 0, unmoved: 0, samples: 0 });
  ignoring.optimizer.dispose();
});

test('when the movement has shown again, a second stall is an error again', async () => {
  const weight = tf.tidy(() => tf.variable(tf.fill([50, 20], 100)));
  // From 1,000 weights the first sync is proof. Syncs 20 to 599 move ten places and more, then it stalls again.
  const slowStepSize = (sync: number) => (sync >= 20 && sync < 600 ? 1 : 0.05);
  const optimizer = lookahead(sgd({ learningRate: PLACE }), { slowStepSize, workers: 0 });
  const thrownAt: number[] = [];
  for (let i = 0; i < 5000; i++) {
    const error = await errorOf(() =>
      optimizer.step(() => tf.sum<tf.Scalar>(weight), false, [weight]),
    );
    if (error) thrownAt.push(optimizer.stats().syncs);
  }
  expect(thrownAt).toHaveLength(2);
  expect(thrownAt[0]).toBe(1);
  expect(thrownAt[1]).toBeGreaterThan(600);
  optimizer.dispose();
});

test.each([
  ['host:f16', 0.7, 0.03, 1100],
  ['host:bf16', 0.85, 0.1, 300],
  ['host:int8', 0, 0.3, 300], // a place is a 127th of about 4, so that few samples move
  ['host:f16r8', 0, 0.01, 300],
] as const)(
  '%s with Adam at a learning rate of 1e-5: %f of the weights and more do not move, and nothing stalls',
  async (slow, unmoved, tolerance, steps) => {
    await tf.setBackend('cpu');
    const weight = tf.tidy(() => tf.variable(noise([64, 64], 1)));
    const optimizer = lookahead(adam({ learningRate: 1e-5 }), { slow, workers: 0 });
    for (let i = 0; i < steps; i++) await optimizer.step(() => halfSquare(weight), false, [weight]);
    const { stall, syncs } = optimizer.stats();
    expect(syncs).toBe(steps / 5);
    expect(stall.samples).toBeGreaterThan(0.95 * syncs * 1024);
    expect(Math.abs(stall.share)).toBeLessThan(tolerance);
    expect(stall.unmoved).toBeGreaterThanOrEqual(unmoved);
    expect(warned).toEqual([]);
    optimizer.dispose();
  },
);

test.each(['host:f32', 'host:f16', 'host:int8'] as const)(
  '%s: looking changes no bit',
  async (slow: SlowFormat) => {
    await tf.setBackend('cpu');
    const run = async (stall: 'throw' | 'ignore') => {
      const weights = [noise([70, 64], 1), noise([9], 2)].map((v) => tf.tidy(() => tf.variable(v)));
      const optimizer = lookahead(adam({ learningRate: 0.05 }), {
        slow,
        stall,
        syncPeriod: 2,
        innerState: 'interpolate',
      });
      const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
      for (let i = 0; i < 8; i++) await optimizer.step(loss, false, weights);
      const found = [weights.map(valuesOf), await slowOf(optimizer)];
      // 4 syncs, 1,024 elements each or one small weight less; slots are not looked at.
      const { samples } = optimizer.stats().stall;
      if (stall === 'throw') expect(samples).toBeGreaterThan(4 * 3 * 256);
      optimizer.dispose();
      return found;
    };
    expect(await run('throw')).toEqual(await run('ignore'));
  },
);

test('excluded weights, α = 0 and device:f32 are not looked at', async () => {
  await tf.setBackend('cpu');
  for (const options of [
    { exclude: /./ },
    { slowStepSize: 0 },
    { slow: 'device:f32' },
  ] satisfies LookaheadOptions[]) {
    const { optimizer, step } = stalling(options);
    for (let i = 0; i < 50; i++) await step();
    expect(optimizer.stats().stall).toEqual({ share: 0, unmoved: 0, samples: 0 });
    optimizer.dispose();
  }
  expect(warned).toEqual([]);
});

test('weights that have converged hover about a place of float32, and do not stall', async () => {
  await tf.setBackend('cpu');
  const target = noise([10, 10], 2);
  const cosine = schedules.cosine({ initial: 0.3, decaySteps: 2000, final: 0 });
  for (const learningRate of [0.3, cosine]) {
    const weight = tf.tidy(() => tf.variable(noise([10, 10], 1)));
    const optimizer = lookahead(sgd({ learningRate }), { workers: 0, syncPeriod: 1 });
    const loss = () => tf.mul<tf.Scalar>(tf.sum(tf.squaredDifference(weight, target)), 0.5);
    for (let i = 0; i < 2000; i++) await optimizer.step(loss, false, [weight]);
    // At 0.3 they end a place or two away: each sync wants half a place, and rounds it away.
    if (learningRate === 0.3) expect(optimizer.stats().stall.share).toBeGreaterThan(0.9);
    optimizer.dispose();
  }
  expect(warned).toEqual([]);
});
