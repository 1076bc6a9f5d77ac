// A Lookahead that plans by itself. Two weights of 64 × 64 are 32 KiB; Adam's moments 64, in 8 bits 16.25.
// With slow weights in fp16 (16 KiB of staging), KiB on the device:
//   keep, device:f32    32 + 32 + 64 + 16    = 144
//   release, device:f32 32 + 16 + 64 + 16    = 128
//   keep, device:q8     32 + 32 + 16.25 + 16 = 96.25
//   release, device:q8  32 + 16 + 16.25 + 16 = 80.25
//   release, host:q8    32 + 16 + 8.125 + 16 = 72.125

import * as tf from '@tensorflow/tfjs-core';
import {
  adam,
  adaptive,
  describePlan,
  loadTraining,
  Lookahead,
  lookahead,
  type LookaheadOptions,
  plan,
  rmsprop,
  saveTraining,
} from 'slowlane';
import { afterEach, describe, expect, test } from 'vitest';

import { noise, onEveryEngine, valuesOf } from '../engines.js';

const KIB = 1024;
const STEPS = 4;

function makeWeights(): tf.Variable[] {
  return [1, 2].map((seed) => tf.tidy(() => tf.variable(noise([64, 64], seed))));
}

const lossOf = (weights: readonly tf.Variable[]) => () =>
  tf.mean<tf.Scalar>(tf.square(tf.matMul(weights[0] as tf.Tensor, weights[1] as tf.Tensor)));

async function trained(optimizer: Lookahead, weights = makeWeights(), steps = STEPS) {
  for (let step = 0; step < steps; step++) {
    await optimizer.step(lossOf(weights), false, weights);
  }
  return weights.map(valuesOf);
}

const innerConfig = (optimizer: Lookahead) => optimizer.inner.getConfig();
const twice = (kib: number) => ({ vramBudget: kib * KIB, syncPeriod: 2, workers: 0 });

onEveryEngine(() => {
  afterEach(() => tf.disposeVariables());

  describe('the pick', () => {
    // 32 weights, moments 32 + 8.125, staging of one weight in fp16 8; and gradients: 32 kept, 16 released.
    test.each([
      [112.125, 'keep'],
      [112, 'release'],
    ] as const)('overrides of both optimizers, %d KiB: gradients %s', async (kib, gradients) => {
      const weights = makeWeights();
      const [first, second] = weights.map(({ name }) => name) as [string, string];
      const inner = adam({ overrides: [{ weights: first, moments: 'device:q8' }] });
      const overrides = [{ weights: second, exclude: true }];
      const optimizer = lookahead(inner, { ...twice(kib), overrides });
      await trained(optimizer, weights);
      const policy = { gradients, moments: 'device:f32', slow: 'host:f16' };
      expect(optimizer.plan?.pick?.policy).toEqual(policy);
      expect(optimizer.plan?.overrides).toEqual([
        { weights: `'${second}'`, count: 1, exclude: true },
        { weights: `'${first}'`, count: 1, moments: 'device:q8' },
      ]);
    });

    test.each([
      [144, 'keep', 'device:f32'],
      [143, 'release', 'device:f32'],
      [127, 'keep', 'device:q8'],
      [90, 'release', 'device:q8'],
      [75, 'release', 'host:q8'],
    ] as const)('%d KiB: gradients %s, moments %s', async (kib, gradients, moments) => {
      const optimizer = lookahead(adam(), twice(kib));
      expect(optimizer.plan).toBeNull();
      const found = await trained(optimizer);
      const policy = { gradients, moments, slow: 'host:f16' } as const;
      expect(optimizer.plan?.pick?.policy).toEqual(policy);
      expect(optimizer.plan?.vramBudgetBytes).toBe(kib * KIB);
      // It trains as if told so.
      const told = lookahead(adam({ gradients, moments }), {
        syncPeriod: 2,
        slow: policy.slow,
        workers: 0,
      });
      expect(found).toEqual(await trained(told));
      expect(optimizer.stats().host.slowBytes).toBe(told.stats().host.slowBytes);
    });

    test('is that of plan()', async () => {
      const optimizer = lookahead(adam(), { ...twice(100), activationBytes: KIB });
      await trained(optimizer, makeWeights(), 1);
      const weights = [{ shape: [64, 64] }, { shape: [64, 64] }];
      const request = { vramBudget: 100 * KIB, activationBytes: KIB, syncPeriod: 2 };
      const { pick, policies } = plan({ weights, ...request });
      expect(optimizer.plan?.pick).toEqual(pick);
      expect(optimizer.plan?.policies).toEqual(policies);
      expect(Object.isFrozen(optimizer.plan)).toBe(true);
    });

    test('counts the rule as it is: its slots, its micro-batches, its clipping', async () => {
      const deviceOf = async (inner: tf.Optimizer) => {
        const optimizer = lookahead(inner, twice(1000));
        await trained(optimizer, makeWeights(), 2);
        return optimizer.plan?.pick?.device;
      };
      const slots = await deviceOf(rmsprop({ momentum: 0.9, centered: true }));
      expect(slots?.moments).toBe(3 * 32 * KIB);
      expect((await deviceOf(adam({ accumulate: 2 })))?.gradients).toBe(32 * KIB);
      // Clipped gradients can't go into the slots: two sums, and two tensors for a mean.
      const clipped = await deviceOf(adam({ accumulate: 2, clipValue: 1 }));
      expect(clipped?.gradients).toBe((32 + 32 + 32) * KIB);
    });

    test('describePlan says it in sentences', async () => {
      const optimizer = lookahead(adam(), twice(90));
      await trained(optimizer, makeWeights(), 1);
      const text = optimizer.plan === null ? '' : describePlan(optimizer.plan);
      expect(text).toContain('8.19k parameters, adam, batch 32, a sync every 2 steps');
      expect(text).toContain("→ lookahead(adam({ gradients: 'release', moments: 'device:q8' })");
      expect(text).toContain('activations are not counted');
    });
  });

  describe('what was given stays', () => {
    const pickOf = async (inner: tf.Optimizer, options: LookaheadOptions) => {
      const optimizer = lookahead(inner, options);
      await trained(optimizer, makeWeights(), 3);
      return optimizer.plan?.pick?.policy;
    };

    test('moments, gradients and slow', async () => {
      const q8 = adam({ moments: 'device:q8', gradients: 'keep' });
      const options = { ...twice(1000), slow: 'host:int8' } as const;
      expect(await pickOf(q8, options)).toEqual({
        moments: 'device:q8',
        gradients: 'keep',
        slow: 'host:int8',
      });
    });

    test('clipNorm needs all gradients: q8 moments before released ones', async () => {
      expect(await pickOf(adam({ clipNorm: 1 }), twice(130))).toMatchObject({
        gradients: 'keep',
        moments: 'device:q8',
      });
    });

    test("innerState: 'interpolate' needs float32 moments on the device", async () => {
      const options = { ...twice(130), innerState: 'interpolate' } as const;
      expect(await pickOf(adam(), options)).toMatchObject({
        gradients: 'release',
        moments: 'device:f32',
      });
      await expect(pickOf(adam(), { ...options, ...twice(120) })).rejects.toThrow('Nothing fits');
    });

    test('adaptive() needs both, with a curvature only the gradients', async () => {
      const slowStepSize = adaptive();
      expect(await pickOf(adam(), { ...twice(144), slowStepSize })).toMatchObject({
        gradients: 'keep',
        moments: 'device:f32',
      });
      await expect(pickOf(adam(), { ...twice(130), slowStepSize })).rejects.toThrow('Nothing fits');
      const given = adaptive({ curvature: (weight) => tf.onesLike(weight) });
      expect(await pickOf(adam(), { ...twice(143), slowStepSize: given })).toMatchObject({
        gradients: 'keep',
        moments: 'device:q8',
      });
    });

    test('gradients of applyGradients() are there already', () => {
      const optimizer = lookahead(adam(), twice(143));
      const weights = makeWeights();
      optimizer.applyGradients(weights.map(({ name }) => ({ name, tensor: tf.ones([64, 64]) })));
      expect(optimizer.plan?.pick?.policy).toMatchObject({
        gradients: 'keep',
        moments: 'device:q8',
      });
      optimizer.dispose();
    });
  });

  test('nothing fits: by how much and what would help, and nothing was changed', async () => {
    const optimizer = lookahead(adam({ gradients: 'keep' }), twice(60));
    const weights = makeWeights();
    const before = weights.map(valuesOf);
    const { numTensors } = tf.memory();
    for (const attempt of [1, 2]) {
      const failed = optimizer.step(lossOf(weights), false, weights);
      await expect(failed, `attempt ${attempt}`).rejects.toMatchObject({ code: 'OVER_BUDGET' });
      await expect(failed).rejects.toThrow(/Gradients keep, moments host:q8 .* are missing/);
      await expect(failed).rejects.toThrow(/a VRAM budget of \d/);
    }
    expect(() => optimizer.minimize(lossOf(weights), false, weights)).toThrow('Nothing fits');
    expect(optimizer.plan).toBeNull();
    expect(weights.map(valuesOf)).toEqual(before);
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  describe('the first step', () => {
    test('minimize without a list counts all that can be trained', () => {
      const optimizer = lookahead(adam(), twice(144));
      const weights = makeWeights();
      optimizer.minimize(lossOf(weights));
      expect(optimizer.plan?.parameters).toBe(2 * 64 * 64);
      optimizer.dispose();
    });

    test('without a weight there is nothing to plan', () => {
      const optimizer = lookahead(adam(), twice(144));
      const loss = () => tf.scalar(0);
      expect(() => optimizer.minimize(loss)).toThrow('Build the model before it');
    });

    test("'auto' is the budget of the engine, which this backend has not", async () => {
      const optimizer = lookahead(adam(), { vramBudget: 'auto' });
      await expect(trained(optimizer)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
      await expect(trained(optimizer)).rejects.toThrow("vramBudget: '4GiB'");
    });
  });

  test('a refused load plans nothing', async () => {
    const weights = makeWeights();
    const other = lookahead(rmsprop(), { syncPeriod: 2, workers: 0 });
    await trained(other, weights, 1);
    const bytes = await saveTraining(other, weights);
    const optimizer = lookahead(adam(), twice(144));
    const loaded = loadTraining(bytes, optimizer, weights);
    await expect(loaded).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
    expect(optimizer.plan).toBeNull();
    const head = weights.slice(0, 1); // another budget of weights may be planned yet
    await optimizer.attach(head);
    expect(optimizer.plan?.parameters).toBe(64 * 64);
  });

  describe('saved', () => {
    const copyOf = (optimizer: Lookahead) =>
      Lookahead.fromConfig(
        Lookahead as unknown as tf.serialization.SerializableConstructor<Lookahead>,
        JSON.parse(JSON.stringify(optimizer.getConfig())) as tf.serialization.ConfigDict,
      );

    test('before the plan: the copy plans', async () => {
      const inner = adam({ gradients: 'keep' });
      const optimizer = lookahead(inner, { ...twice(130), hostBudget: '1MiB' });
      const copy = copyOf(optimizer);
      await trained(copy, makeWeights(), 1);
      const policy = { gradients: 'keep', moments: 'device:q8', slow: 'host:f16' };
      expect(copy.plan?.pick?.policy).toEqual(policy);
      expect(copy.plan?.hostBudgetBytes).toBe(2 ** 20);
    });

    test('after it: the copy has what was decided', async () => {
      const optimizer = lookahead(adam(), twice(75));
      await trained(optimizer, makeWeights(), 1);
      const copy = copyOf(optimizer);
      expect(copy.getConfig()).toEqual(optimizer.getConfig());
      expect(innerConfig(copy)).toMatchObject({ gradients: 'release', moments: 'host:q8' });
      await trained(copy, makeWeights(), 1);
      expect(copy.plan).toBeNull();
    });

    test.each([144, 90, 75])('%d KiB: training goes on to the bit', async (kib) => {
      const weights = makeWeights();
      const optimizer = lookahead(adam(), twice(kib));
      await trained(optimizer, weights, 3);
      const bytes = await saveTraining(optimizer, weights);
      const expected = await trained(optimizer, weights, 3);

      const others = makeWeights();
      const restored = lookahead(adam(), twice(kib));
      await loadTraining(bytes, restored, others);
      expect(restored.plan?.parameters).toBe(2 * 64 * 64); // it decides where slow weights go
      expect(await trained(restored, others, 3)).toEqual(expected);
      expect(restored.plan?.pick?.policy).toEqual(optimizer.plan?.pick?.policy);
    });
  });
});

describe('at the door', () => {
  test.each([
    [{ vramBudget: '4' }, 'vramBudget must be a size with its unit', '"4" (string)'],
    [{ vramBudget: 0 }, 'vramBudget must be', 'got 0'],
    [{ vramBudget: 'auto', hostBudget: 'much' }, 'hostBudget must be', '"much" (string)'],
    [{ vramBudget: 'auto', batchSize: 0 }, 'batchSize must be a whole number ≥ 1', 'got 0'],
    [{ vramBudget: 1, activationBytes: -1 }, 'activationBytes must be', 'got -1'],
    [{ batchSize: 8 }, 'batchSize is for the plan', "vramBudget: '4GiB'"],
  ])('%j', (options, allowed, received) => {
    const make = () => lookahead(adam(), options as LookaheadOptions);
    expect(make).toThrow(allowed);
    expect(make).toThrow(received);
  });

  test('an inner optimizer that cannot be told, or that has begun', () => {
    const refused = (inner: tf.Optimizer) => () => lookahead(inner, { vramBudget: '1GiB' });
    expect(refused(tf.train.sgd(0.1))).toThrow("Use one of slowlane's own optimizers");
    const begun = adam();
    const weight = tf.tidy(() => tf.variable(tf.ones([2])));
    begun.minimize(() => tf.sum(tf.square(weight)), false, [weight]);
    expect(refused(begun)).toThrow('has taken steps already');
    begun.dispose();
    weight.dispose();
  });
});
