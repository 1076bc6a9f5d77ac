// What plan() makes of its options, with one policy left so that it is quick.

import { describe, expect, test } from 'vitest';

import { makePlan, type PlanRequest } from '#src/plan/make-plan.js';
import { plan, type PlanOptions } from '#src/plan/plan.js';
import { ruleOf, stepBytes } from '#src/plan/step-bytes.js';
import { checkWeights, equalWeights } from '#src/plan/weights.js';
import type { Policy } from '#src/plan/policies.js';

const KIB = 1024;
const exact: Policy = { gradients: 'keep', moments: 'device:f32', slow: 'host:f32' };
const given = { weights: [1024], vramBudget: '64KiB', inner: 'sgd', ...exact } as const;

test('the defaults: adam, batches of 32, one micro-batch, a sync every 5 steps, no host budget', () => {
  const { inner, policies, ...made } = plan({ ...given, inner: undefined } as never);
  expect(made).toMatchObject({
    parameters: 1024,
    batchSize: 32,
    accumulate: 1,
    syncPeriod: 5,
    overrides: [],
    vramBudgetBytes: 64 * KIB,
    hostBudgetBytes: null,
    busBytesPerSecond: null,
    shortfall: null,
    assumptions: [
      'activations are not counted: give a model, or the activationBytes you have measured',
    ],
  });
  expect(inner).toBe('adam');
  expect(policies.map(({ policy }) => policy)).toEqual([exact]);
  expect(policies[0]?.device.moments).toBe(2 * 4 * KIB);
});

test('each option is used', () => {
  const made = plan({
    ...given,
    batchSize: 3,
    accumulate: 2,
    syncPeriod: 7,
    hostBudget: '8KiB',
    activationBytes: '2KiB',
    chunkBytes: 512,
    bus: 1000,
  });
  expect(made).toMatchObject({
    batchSize: 3,
    accumulate: 2,
    syncPeriod: 7,
    hostBudgetBytes: 8 * KIB,
    busBytesPerSecond: 1000,
    assumptions: [],
  });
  expect(made.pick?.device.activations).toBe(2 * KIB);
  expect(made.pick?.chunks).toEqual({ count: 8, bytes: 512 });
  expect(made.pick?.extraMsPerStep).toBeCloseTo((8 * KIB) / 7, 9);
  // By default a piece is a quarter of 1 MiB, up to 4 MiB.
  const large = plan({ ...given, weights: [2 ** 27], vramBudget: '2GiB' });
  expect(large.pick?.chunks.bytes).toBe(4 * 2 ** 20);
});

test('a number of parameters is 16 equal weights, or as many as there are layers', () => {
  const layered = (options: Partial<PlanOptions>) =>
    plan({ ...given, weights: '16k', ...options }).assumptions[0];
  expect(layered({})).toBe('16 weights of the same size');
  expect(layered({ layers: 2 })).toBe('2 weights of the same size');
});

test.each<[Record<string, unknown>, string]>([
  [{ layers: 100_001 }, 'layers must be a whole number ≥ 1 and ≤ 100000'],
  [{ layers: 1.5 }, 'layers must be'],
  [{ batchSize: 2 ** 31 }, 'batchSize must be'],
  [{ accumulate: 2 ** 20 + 1 }, 'accumulate must be'],
  [{ chunkBytes: 511 }, 'chunkBytes must be'],
  [{ chunkBytes: 256 * 2 ** 20 + 1 }, 'chunkBytes must be'],
  [{ other: 1 }, "'other'"],
  [{ weights: undefined }, "plan() needs either weights ('350M') or a model, got neither."],
  [{ model: {} }, "plan() needs either weights ('350M') or a model, got both."],
  [{ weights: undefined, model: {}, activationBytes: 1 }, 'activationBytes goes with weights.'],
  [{ weights: undefined, model: {} }, 'model must be a tf.LayersModel'],
  [{ vramBudget: undefined }, "plan() needs a vramBudget: '4GiB'"],
  [{ vramBudget: 'auto' }, "vramBudget: 'auto' needs deviceMemoryBytes"],
  [{ hostBudget: 'much' }, 'hostBudget must be'],
  [{ activationBytes: 'much' }, 'activationBytes must be'],
])('refused: %j', (wrong, message) => {
  expect(() => plan({ ...given, ...wrong } as never)).toThrow(message);
});

test('whole ranges are allowed', () => {
  for (const good of [
    { layers: 100_000 },
    { batchSize: 2 ** 31 - 1 },
    { accumulate: 2 ** 20 },
    { chunkBytes: 512 },
    { chunkBytes: 256 * 2 ** 20 },
    { vramBudget: 'auto', deviceMemoryBytes: 5000 },
  ]) {
    expect(() => plan({ ...given, ...good })).not.toThrow();
  }
  expect(plan({ ...given, vramBudget: 'auto', deviceMemoryBytes: 5000 }).vramBudgetBytes).toBe(
    5000,
  );
});

describe('overrides', () => {
  const named = [
    { name: 'a', shape: [64, 64] },
    { name: 'b', shape: [64, 64] },
  ];
  const unnamed = /^overrides pick weights by name, and these weights have none/;

  test('need weights with names', () => {
    const overrides = [{ weights: 'a', slow: 'host:f16' as const }];
    const made = plan({ ...given, vramBudget: '1MiB', weights: named, overrides });
    expect(made.overrides).toEqual([{ weights: "'a'", slow: 'host:f16', count: 1 }]);
    expect(made.pick?.host.slow).toBe((2 + 4) * 4096);
    for (const weights of [
      '8k',
      8192,
      [...named, 5],
      [{ shape: [2] }],
      [...named, { shape: [2] }],
    ]) {
      expect(() => plan({ ...given, weights, overrides })).toThrow(unnamed);
    }
    expect(() => plan({ ...given, weights: [...named, null] as never, overrides })).toThrow(
      /^weights\[2\] must be/,
    );
    expect(() => plan({ ...given, weights: '8k', overrides: [] })).not.toThrow();
  });

  test('by a function need variables, which names are not', () => {
    const byFunction = { weights: () => true, exclude: true };
    const byName = { weights: 'a', exclude: true };
    for (const overrides of [[byFunction], [byName, byFunction]]) {
      expect(() => plan({ ...given, weights: named, overrides })).toThrow(
        /^overrides with a function need variables/,
      );
    }
  });

  test('of a model have its names, and its variables for functions', () => {
    const weights = [{ name: 'a', shape: [64, 64] }];
    const model = { layers: [], inputs: [], weights, trainableWeights: weights };
    for (const pattern of ['a', () => true]) {
      const overrides = [{ weights: pattern, slow: 'host:f16' as const }];
      const made = plan({
        ...given,
        vramBudget: '1MiB',
        weights: undefined,
        model,
        overrides,
      } as never);
      expect(made.pick?.host.slow).toBe(2 * 4096);
    }
  });

  test('that match no weight are an error', () => {
    const overrides = [{ weights: 'c', exclude: true }];
    expect(() => plan({ ...given, weights: named, overrides })).toThrow(
      expect.objectContaining({ code: 'UNMATCHED_OVERRIDE' }),
    );
  });
});

describe('the pick', () => {
  const request = (fixed: Partial<Policy>, changed: Partial<PlanRequest> = {}): PlanRequest => ({
    inner: 'sgd',
    training: {
      weights: checkWeights([{ shape: [64, 64] }], 1),
      layers: null,
      givenActivationBytes: 0,
      batchSize: 1,
      accumulate: 1,
      rule: ruleOf('sgd'),
      syncPeriod: 5,
      chunkBytes: 512,
    },
    budgets: { deviceBytes: 1e6, hostBytes: Infinity },
    busBytesPerSecond: null,
    fixed,
    overrides: [],
    layers: 1,
    assumptions: [],
    ...changed,
  });
  const picked = (fixed: Partial<Policy>, hostBytes = Infinity) =>
    makePlan(request(fixed, { budgets: { deviceBytes: 1e6, hostBytes } })).pick?.policy.slow;

  test('moves the fewest bytes, but of bf16, int8 and the device only what is asked for', () => {
    expect(picked({ gradients: 'keep' })).toBe('host:f16');
    expect(picked({ gradients: 'keep', slow: 'host:int8' })).toBe('host:int8');
    // 10 KB of host memory hold no fp16 twice.
    expect(picked({ gradients: 'keep' }, 10_000)).toBe('device:f32');
  });

  test('fits: 16 KiB of weight and of gradient and 2 KiB of staging are 34 KiB', () => {
    const at = (deviceBytes: number) =>
      makePlan(request(exact, { budgets: { deviceBytes, hostBytes: Infinity } }));
    expect(at(34 * KIB).pick?.policy).toEqual(exact);
    expect(at(34 * KIB).shortfall).toBeNull();
    expect(at(34 * KIB - 1).pick).toBeNull();
    expect(at(34 * KIB - 1).shortfall?.deviceBytes).toBe(1);
    expect(at(34 * KIB).pick?.extraMsPerStep).toBeNull();
    // 8 bytes a parameter and 2 KiB of staging; activations take of it.
    expect(at(34 * KIB).pick?.largestModel).toBe(4096);
    const { training } = request(exact);
    const busy = request(exact, {
      training: { ...training, givenActivationBytes: 800 },
      budgets: { deviceBytes: 34 * KIB, hostBytes: Infinity },
    });
    expect(makePlan(busy).policies[0]?.largestModel).toBe(4096 - 100);
  });

  test('with slots each place of moments is a policy', () => {
    const { training } = request({});
    const adam = request({ ...exact, moments: undefined } as never, {
      training: { ...training, rule: ruleOf('adam') },
    });
    expect(makePlan(adam).policies).toHaveLength(4);
  });

  test('everything in a plan is frozen', () => {
    const parts: unknown[] = [makePlan(request(exact))];
    for (const part of parts) {
      expect(Object.isFrozen(part)).toBe(true);
      if (typeof part === 'object' && part !== null) parts.push(...Object.values(part));
      if (parts.length > 200) break;
    }
  });
});

describe('a step', () => {
  const float = (elements: number) => 4 * elements;
  const Q8 = 256 + 4;
  const step = (
    sizes: number[],
    policy: Partial<Policy>,
    slots = 1,
    accumulate = 1,
    takesGradients = false,
  ) =>
    stepBytes(
      { ...exact, ...policy },
      checkWeights(sizes, 1),
      { slots, takesGradients },
      accumulate,
    );

  test('gradients: kept all, released the largest', () => {
    expect(step([10, 30, 20], {}).gradients).toBe(float(60));
    expect(step([10, 30, 20], { gradients: 'release' }).gradients).toBe(float(30));
  });

  test('moments on the device: float32, or 260 bytes a block for each slot', () => {
    expect(step([10, 30], {}, 2).moments).toBe(2 * float(40));
    expect(step([4096, 10], { moments: 'device:q8' }, 2).moments).toBe(2 * 16 * Q8 + 2 * float(10));
    expect(step([4096], { moments: 'device:q8' }, 0)).toMatchObject({ moments: 0, hostMoments: 0 });
  });

  test('moments on the host: those of the largest while it is updated; there twice, over the bus twice', () => {
    expect(step([4096, 8192, 10], { moments: 'host:f32' }, 2)).toMatchObject({
      moments: 2 * float(8192) + 2 * float(10),
      hostMoments: 2 * 2 * float(4096 + 8192),
      busPerStep: 2 * 2 * float(4096 + 8192),
    });
    expect(step([4096], { moments: 'host:q8' }, 1)).toMatchObject({
      moments: 16 * Q8,
      hostMoments: 2 * 16 * Q8,
      busPerStep: 2 * 16 * Q8,
    });
  });

  test('micro-batches: sums, and two tensors of the largest for their mean; or into the slots', () => {
    expect(step([10, 30], {}, 1, 4).gradients).toBe(float(40 + 40 + 2 * 30));
    expect(step([10, 30], {}, 1, 4, true).gradients).toBe(float(40));
    expect(step([4096], { moments: 'device:q8' }, 1, 4, true).gradients).toBe(float(4096 * 4));
    // Slots that take the gradients travel with each of them.
    const trips = (accumulate: number, takes: boolean) =>
      step([4096], { moments: 'host:f32' }, 1, accumulate, takes).busPerStep / (2 * float(4096));
    expect([trips(4, true), trips(4, false), trips(1, true)]).toEqual([4, 1, 1]);
    const q8 = step([4096], { moments: 'host:q8' }, 1, 4, true);
    expect(q8.busPerStep).toBe(2 * 16 * Q8);
  });

  test('the pool: buffers of sizes that nothing else needs', () => {
    const released = (sizes: number[], policy: Partial<Policy> = {}, slots = 0, accumulate = 1) =>
      step(sizes, { gradients: 'release', ...policy }, slots, accumulate).pool;
    expect(released([10, 10, 30, 20])).toBe(float(10 + 20));
    expect(released([10])).toBe(0);
    expect(step([10, 30], {}, 0).pool).toBe(0);
    // Offloaded slots of 4,096 and 8,192 elements, and their gradients: the smaller ones are left over.
    expect(released([4096, 8192], { moments: 'host:f32' }, 2)).toBe(3 * float(4096));
    // Kept: a gradient that is used makes room for the next weight's slot of the same size.
    const kept = (sizes: number[], slots: number) =>
      step(sizes, { moments: 'host:f32' }, slots).pool;
    expect(kept([4096, 4096], 1)).toBe(0);
    expect(kept([4096, 8192], 1)).toBe(float(4096));
    expect(kept([8192, 4096], 1)).toBe(float(4096));
    // Quantized slots of 16,384 elements take 16 KiB, as a gradient of 4,096 does: it makes room for one of them.
    expect(released([4096, 16_384], { moments: 'host:q8' }, 2)).toBe(2 * 16 * (256 + 4));
    expect(step([4096, 16_384], { moments: 'host:q8' }, 1).pool).toBe(0);
    // Means of 10 and 30 elements, two each: those of 10 are left over, but for the sum that was freed.
    expect(released([10, 30], {}, 0, 2)).toBe(float(3 * 10));
    expect(released([30, 10], {}, 0, 2)).toBe(float(3 * 10));
  });
});

test('equal weights keep their names', () => {
  expect(equalWeights(3, 2).map(({ name }) => name)).toEqual(['layer 1', 'layer 2']);
});
