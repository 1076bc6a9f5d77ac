// The parts of the planner one by one: weights, buses, policies, overrides, bytes.

import { describe, expect, test } from 'vitest';

import { BUS_BYTES_PER_SECOND, checkBus } from '#src/plan/bus.js';
import { makePlan } from '#src/plan/make-plan.js';
import {
  checkExclusions,
  checkPlanMatches,
  checkPlanOverrides,
  describeOverrides,
  type PlanOverride,
  withOverrides,
} from '#src/plan/overrides.js';
import { availablePolicies, checkFixed, CHOICES, type Policy } from '#src/plan/policies.js';
import { policyBytes, type Training } from '#src/plan/policy-bytes.js';
import { ruleOf } from '#src/plan/step-bytes.js';
import { checkWeights, equalWeights } from '#src/plan/weights.js';
import { bare, exact, training } from './small-training.js';

describe('weights', () => {
  test('10 parameters in 3 layers: 4, 3 and 3; 2 in 3 are two weights', () => {
    const sizes = (count: number) =>
      equalWeights(count, 3).map(({ name, shape, elements }) => [name, shape, elements]);
    expect(sizes(10)).toEqual([
      ['layer 1', [4, 1], 4],
      ['layer 2', [3, 1], 3],
      ['layer 3', [3, 1], 3],
    ]);
    expect(sizes(2)).toEqual([
      ['layer 1', [1, 1], 1],
      ['layer 2', [1, 1], 1],
    ]);
    expect(equalWeights(10, 3).every(({ isTrained }) => isTrained)).toBe(true);
  });

  test('a count, sizes, and shapes with or without a name', () => {
    expect(checkWeights('1k', 2).map(({ elements }) => elements)).toEqual([500, 500]);
    const given = [7, { shape: [2, 3] }, { shape: [0], name: 'none' }, { shape: [], name: 5 }];
    expect(checkWeights(given, 2)).toEqual([
      { name: 'weights[0]', shape: [7, 1], elements: 7, isTrained: true },
      { name: 'weights[1]', shape: [2, 3], elements: 6, isTrained: true },
      { name: 'none', shape: [0], elements: 0, isTrained: true },
      { name: 'weights[3]', shape: [], elements: 1, isTrained: true },
    ]);
  });

  test.each([
    [0],
    [1.5],
    ['7'],
    [null],
    [{}],
    [{ shape: 5 }],
    [{ shape: [-1] }],
    [{ shape: ['2'] }],
  ])('refused: %j', (given) => {
    const message = /^weights\[1\] must be \{ shape: \[512, 512\] \} or a whole number of elem/;
    expect(() => checkWeights([1, given], 2)).toThrow(message);
  });

  test('refused: no weights, and a hole in the list', () => {
    expect(() => checkWeights([], 2)).toThrow('weights must hold at least one weight');
    expect(() => checkWeights(Array(2), 2)).toThrow(/^weights\[0\] must be .*got undefined/);
  });
});

test('buses by name, by speed, and by number', () => {
  expect(checkBus('bus', undefined)).toBeNull();
  expect(checkBus('bus', null)).toBeNull();
  for (const [name, speed] of Object.entries(BUS_BYTES_PER_SECOND)) {
    expect(checkBus('bus', name)).toBe(speed);
  }
  expect(Object.values(BUS_BYTES_PER_SECOND)).toEqual([6e9, 12e9, 12e9, 24e9, 24e9, 48e9]);
  expect(checkBus('bus', '12GB/s')).toBe(12e9);
  expect(checkBus('bus', '12GB')).toBe(12e9);
  expect(checkBus('bus', 5)).toBe(5);
  expect(() => checkBus('bus', '1/s2GB')).toThrow(/^bus must be pcie3x8, /);
  expect(() => checkBus('bus', 'pcie4x17')).toThrow(/\. Did you mean 'pcie4x16'\?$/);
  expect(() => checkBus('bus', 'usb')).toThrow(/got "usb" \(string\)\.$/);
  expect(() => checkBus('bus', -1)).toThrow(/got -1[^?]*\.$/);
});

describe('policies', () => {
  test('all of them, moments first, and the preferred ones first', () => {
    const all = availablePolicies();
    expect(all).toHaveLength(4 * 2 * 6);
    expect(all.slice(0, 2)).toEqual([exact, { ...exact, slow: 'host:f16r8' }]);
    expect(all[6]).toEqual({ ...exact, gradients: 'release' });
    expect(all[12]?.moments).toBe(CHOICES.moments[1]);
    expect(availablePolicies(exact)).toEqual([exact]);
    expect(availablePolicies({ slow: 'host:f32', moments: 'host:q8' })).toHaveLength(2);
  });

  test('what the caller decides is checked, and other options are left alone', () => {
    expect(checkFixed({ slow: 'host:f32', inner: 'adam', gradients: undefined })).toEqual({
      slow: 'host:f32',
    });
    expect(() => checkFixed({ moments: 'disk' })).toThrow(/^moments must be/);
  });
});

describe('overrides', () => {
  const weights = checkWeights(
    ['a', 'b', 'c'].map((name) => ({ name, shape: [2, 2] })),
    1,
  );
  const own = (overrides: readonly PlanOverride[]) =>
    withOverrides(weights, overrides).map((weight) => weight.own);

  test('the first with moments counts, and the first with anything of Lookahead', () => {
    expect(
      own([
        { weights: 'a', moments: 'host:q8' },
        { weights: /[ab]/, moments: 'device:q8', slowStepSize: 0.5 },
        { weights: 'a', slow: 'host:f16' },
        { weights: 'c', exclude: true },
        { weights: 'c', exclude: false },
      ]),
    ).toStrictEqual([{ moments: 'host:q8' }, { moments: 'device:q8' }, { slow: null }]);
    // What an entry leaves open, another may set.
    expect(
      own([
        { weights: 'a', moments: 'host:q8' },
        { weights: 'a', slow: 'host:f16' },
        { weights: 'b', slowStepSize: 0.5 },
        { weights: 'b', slow: 'host:f16' },
        { weights: 'c', exclude: true },
        { weights: 'c', moments: 'device:q8' },
      ]),
    ).toStrictEqual([
      { moments: 'host:q8', slow: 'host:f16' },
      {},
      { moments: 'device:q8', slow: null },
    ]);
    expect(own([{ weights: 'a', exclude: false, slow: 'host:f16' }])).toEqual([
      { slow: 'host:f16' },
      {},
      {},
    ]);
  });

  test('they are described with the number of trained weights that they match', () => {
    const [a, b, c] = weights as [(typeof weights)[0], (typeof weights)[0], (typeof weights)[0]];
    const some = [a, b, { ...c, isTrained: false }];
    const overrides = [
      { weights: 'b', exclude: true },
      { weights: /[abc]/g, slow: 'host:f16' as const },
    ];
    expect(describeOverrides(some, overrides)).toEqual([
      { weights: "'b'", exclude: true, count: 1 },
      { weights: '/[abc]/g', slow: 'host:f16', count: 2 },
    ]);
  });

  test('each has to match a weight that is trained', () => {
    const [a, b] = weights as [(typeof weights)[0], (typeof weights)[0]];
    const some = [a, { ...b, isTrained: false }];
    expect(() => checkPlanMatches(some, [{ weights: 'a', exclude: true }])).not.toThrow();
    expect(() => checkPlanMatches(some, [{ weights: 'b', exclude: true }])).toThrow(
      expect.objectContaining({ code: 'UNMATCHED_OVERRIDE' }),
    );
  });

  test.each([
    [{ slow: 'host:int4' }, 'overrides[0].slow must be'],
    [{ slowStepSize: 2 }, 'overrides[0].slowStepSize must be'],
    [{ exclude: 5 }, 'overrides[0].exclude must be'],
    [{ moments: 'disk' }, 'overrides[0].moments must be'],
    [{ exclude: true, slow: 'host:f32' }, 'overrides[0] excludes its weights'],
  ])('refused: %j', (wrong, message) => {
    expect(() => checkPlanOverrides([{ weights: 'a', ...wrong }])).toThrow(message);
  });

  test('an entry that excludes its weights sets nothing else for them', () => {
    const good = [{ exclude: true }, { slow: 'x' }, { exclude: false, slow: 'x' }];
    expect(checkExclusions('overrides', good)).toBe(good);
    expect(() => checkExclusions('overrides', [{}, { exclude: true, slow: 'x' }])).toThrow(
      /^overrides\[1\] excludes its weights from Lookahead and sets slow for them\./,
    );
    expect(() => checkExclusions('overrides', [{ exclude: true, slowStepSize: 0 }])).toThrow(
      /^overrides\[0\] excludes its weights from Lookahead and sets slowStepSize for them\./,
    );
  });
});

describe('bytes', () => {
  test('slow weights of 4 KiB cross the bus in 8 pieces of 512 bytes, both ways, every 5 steps', () => {
    const { host, bus, chunks, device } = policyBytes(exact, training);
    expect(chunks).toEqual({ count: 8, bytes: 512 });
    expect(host).toEqual({ slow: 4096, staging: 2 * 4 * 512, moments: 0 });
    expect(bus).toEqual({ bytesPerStep: 0, bytesPerSync: 8192, meanBytesPerStep: 8192 / 5 });
    expect(device.staging).toBe(4 * 512);
  });

  test('on the device: 4 KiB again, and for the blend five tensors less the freed gradients', () => {
    const { device, chunks } = policyBytes(bare, training);
    expect(device).toMatchObject({ weights: 8192, gradients: 4096, staging: 4 * 4096 });
    expect(chunks).toEqual({ count: 0, bytes: 0 });
    // Six gradients of that size are more than the five tensors.
    const six = { ...training, weights: equalWeights(6 * 1024, 6) };
    expect(policyBytes(bare, six).device.staging).toBe(0);
  });

  test('64 × 64 fp16 values are 8 KiB; excluded ones have none; frozen ones only their weight', () => {
    const [square] = checkWeights([{ shape: [64, 64] }], 1) as [Training['weights'][0]];
    const half: Policy = { ...exact, slow: 'host:f16' };
    const of = (changed: object) =>
      policyBytes(half, { ...training, weights: [{ ...square, ...changed }] });
    expect(of({}).host.slow).toBe(8192);
    expect(of({}).device).toMatchObject({ weights: 16_384, gradients: 16_384 });
    expect(of({ own: { slow: null } }).host.slow).toBe(0);
    expect(of({ own: { slow: null } }).device.gradients).toBe(16_384);
    expect(of({ own: { slow: 'host:f32' } }).host.slow).toBe(16_384);
    expect(of({ isTrained: false }).device).toMatchObject({ weights: 16_384, gradients: 0 });
    expect(of({ isTrained: false }).host.slow).toBe(0);
  });

  test('the pool is of activations and of the step, and nobody needs it', () => {
    const layers = {
      inputElements: 0,
      layers: [8, 4].map((outputElements) => ({
        name: '',
        outputElements,
        savedTensors: 0,
        gradientTensors: 0,
      })),
    };
    const weights = checkWeights([1024, 2048], 1);
    const both = { ...training, layers, weights };
    const bytes = policyBytes({ ...exact, gradients: 'release' }, both);
    // A gradient of 4 KiB beside one of 8; both outputs are in use.
    expect(bytes.device.pool).toBe(4096);
    const kept = policyBytes(exact, both);
    expect(kept.device.pool).toBe(4 * 4);
    expect(kept.neededDeviceBytes).toBe(kept.deviceBytes - 16);
    const slices = {
      ...layers,
      layers: [...layers.layers, { ...layers.layers[0]!, outputElements: 1 }],
    };
    expect(
      policyBytes({ ...exact, gradients: 'release' }, { ...both, layers: slices }).device.pool,
    ).toBe(4096 + 4);
  });

  test('activations that were measured count as given, those of layers by the batch', () => {
    const given = { ...training, givenActivationBytes: 7, batchSize: 3 };
    expect(policyBytes(exact, given).device).toMatchObject({ activations: 7, pool: 0 });
    const layers = { inputElements: 1, layers: [] };
    expect(policyBytes(exact, { ...given, layers }).device.activations).toBe(4 * 3);
  });
});

test('a plan says what was asked, and clipping where sums of gradients would change it', () => {
  const request = {
    inner: 'sgd',
    training,
    budgets: { deviceBytes: 1e6, hostBytes: Infinity },
    busBytesPerSecond: 1000,
    fixed: exact,
    overrides: [],
    layers: 1,
    assumptions: ['as given'],
  };
  const plan = makePlan(request);
  expect(plan).toMatchObject({
    parameters: 1024,
    inner: 'sgd',
    batchSize: 1,
    accumulate: 1,
    syncPeriod: 5,
    vramBudgetBytes: 1e6,
    hostBudgetBytes: null,
    busBytesPerSecond: 1000,
    shortfall: null,
    assumptions: ['as given'],
  });
  expect(plan.policies).toHaveLength(1);
  expect(plan.pick).toBe(plan.policies[0]);
  expect(plan.pick?.extraMsPerStep).toBe(8192 / 5);
  expect(makePlan({ ...request, budgets: { deviceBytes: 1e6, hostBytes: 9e9 } })).toMatchObject({
    hostBudgetBytes: 9e9,
  });
  // Without slots, where they would be kept makes no policy of its own.
  const free = makePlan({ ...request, fixed: {} }).policies.map(({ policy }) => policy.moments);
  expect([...new Set(free)]).toEqual(['device:f32']);
  const takes = { slots: 1, takesGradients: true };
  const notes = (accumulate: number, rule: Training['rule']) =>
    makePlan({ ...request, training: { ...training, accumulate, rule } }).assumptions.length;
  expect([notes(1, takes), notes(2, takes), notes(2, ruleOf('sgd'))]).toEqual([1, 2, 1]);
});
