// The parts of the planner one by one: weights, policies, buses, the largest that fits, remedies.

import { describe, expect, test } from 'vitest';

import { BUS_BYTES_PER_SECOND, checkBus } from '#src/plan/bus.js';
import { doesFit, largestBatch, largestModel, largestThat } from '#src/plan/largest.js';
import { makePlan } from '#src/plan/make-plan.js';
import {
  checkExclusions,
  describeOverrides,
  type PlanOverride,
  withOverrides,
} from '#src/plan/overrides.js';
import { availablePolicies, checkFixed, CHOICES, type Policy } from '#src/plan/policies.js';
import { policyBytes, type Training } from '#src/plan/policy-bytes.js';
import { shortfallOf } from '#src/plan/shortfall.js';
import { ruleOf } from '#src/plan/step-bytes.js';
import { checkWeights, equalWeights } from '#src/plan/weights.js';

const exact: Policy = { gradients: 'keep', moments: 'device:f32', slow: 'host:f32' };
const bare: Policy = { ...exact, slow: 'device:f32' };

/** One weight of 1,024 elements, 4 KiB, under sgd: 4 KiB of gradients, 4 KiB of slow weights. */
const training: Training = {
  weights: equalWeights(1024, 1),
  layers: null,
  givenActivationBytes: 0,
  batchSize: 1,
  accumulate: 1,
  rule: ruleOf('sgd'),
  syncPeriod: 5,
  chunkBytes: 512,
};

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
    ).toEqual([{ moments: 'host:q8' }, { moments: 'device:q8' }, { slow: null }]);
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
    expect(host).toEqual({ slowUpload: 4096, slowDownload: 4096, moments: 0 });
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

  test('activations that were measured count as given, those of layers by the batch', () => {
    const given = { ...training, givenActivationBytes: 7, batchSize: 3 };
    expect(policyBytes(exact, given).device).toMatchObject({ activations: 7, pool: 0 });
    const layers = { inputElements: 1, layers: [] };
    expect(policyBytes(exact, { ...given, layers }).device.activations).toBe(4 * 3);
  });
});

describe('the largest that fits', () => {
  test('is found between a number that fits and one that is too many', () => {
    for (let limit = 0; limit < 20; limit++) {
      const tried: number[] = [];
      const fits = (count: number) => {
        tried.push(count);
        return count <= limit;
      };
      expect(largestThat(fits, 0, 20)).toBe(limit);
      expect(tried.length).toBeLessThanOrEqual(5);
      expect(tried).not.toContain(20);
    }
    expect(largestThat(() => true, 3, 4)).toBe(3);
  });

  test('fits: to the byte, on both sides', () => {
    const bytes = policyBytes(exact, training);
    const { neededDeviceBytes: deviceBytes, hostBytes } = bytes;
    expect(doesFit(bytes, { deviceBytes, hostBytes })).toBe(true);
    expect(doesFit(bytes, { deviceBytes: deviceBytes - 1, hostBytes })).toBe(false);
    expect(doesFit(bytes, { deviceBytes, hostBytes: hostBytes - 1 })).toBe(false);
  });

  test('batch: 4 bytes an example beside 8 KiB of weight and gradient and 2 KiB of staging', () => {
    const layers = { inputElements: 1, layers: [] };
    const largest = (spare: number) => {
      const budgets = { deviceBytes: 8192 + 2048 + spare, hostBytes: Infinity };
      return largestBatch(exact, { ...training, layers }, budgets);
    };
    expect([3, 4, 7, 8, 43].map(largest)).toEqual([null, 1, 1, 2, 10]);
    expect(largestBatch(exact, training, { deviceBytes: 1e6, hostBytes: Infinity })).toBeNull();
  });

  test('model: slow weights on the device take 8 + 4 + 16 bytes a parameter of one layer', () => {
    const largest = (deviceBytes: number, activationBytes = 0) =>
      largestModel(
        bare,
        training,
        { deviceBytes, hostBytes: Infinity },
        { activationBytes, layers: 1 },
      );
    expect([27, 28, 279, 280].map((bytes) => largest(bytes))).toEqual([0, 1, 9, 10]);
    expect(largest(280, 28)).toBe(9);
  });
});

describe('the shortfall', () => {
  const short = (changed: Partial<Training>, deviceBytes: number, hostBytes = Infinity) => {
    const own = { ...training, ...changed };
    const plans = [bare, exact].map((policy) => ({ policy, ...policyBytes(policy, own) }));
    return shortfallOf(plans, own, { deviceBytes, hostBytes });
  };

  test('is of the policy that lacks least, on device and host together', () => {
    expect(short({}, 10_000)).toEqual({
      policy: exact,
      deviceBytes: 240, // 8,192 + 2,048 − 10,000
      hostBytes: 0,
      remedies: [
        {
          change: 'vramBudget',
          to: 10_240,
          neededDeviceBytes: 10_240,
          text: 'a VRAM budget of 10 KiB',
        },
      ],
    });
    // On the host the other lacks nothing, on the device more: 28,672 − 28,000 against 8,192.
    expect(short({}, 28_000, 0)).toMatchObject({ policy: bare, deviceBytes: 672, hostBytes: 0 });
    expect(short({}, 10_240, 8191)?.remedies).toEqual([
      {
        change: 'hostBudget',
        to: 8192,
        neededDeviceBytes: 10_240,
        text: 'a host budget of 8 KiB',
      },
    ]);
    expect(short({}, 10_000, 8000)?.remedies[0]?.text).toBe(
      'a VRAM budget of 10 KiB and a host budget of 8 KiB',
    );
    expect(shortfallOf([], training, { deviceBytes: 1, hostBytes: 1 })).toBeNull();
  });

  test('remedies come in order: a batch, checkpoints, a rule with fewer slots, a budget', () => {
    // 9 layers of 100 elements with 3 saved tensors each: at a batch of 10, 108 KB of them.
    const layer = { name: '', outputElements: 100, savedTensors: 3, gradientTensors: 0 };
    const layers = { inputElements: 0, layers: Array.from({ length: 9 }, () => layer) };
    const own = { layers, batchSize: 10, rule: ruleOf('adam') };
    const needed = policyBytes(exact, { ...training, ...own }).neededDeviceBytes;
    const found = short(own, needed - 1)?.remedies ?? [];
    expect(found.map(({ change, to }) => [change, to])).toEqual([
      ['batchSize', 9],
      ['checkpoint', 'blocks of √layers'],
      ['inner', 'momentum'],
      ['inner', 'sgd'],
      ['vramBudget', needed],
    ]);
    expect(found.map(({ text }) => text.replace(/ \(\S+ KiB of VRAM\)/, ''))).toEqual([
      'a batch of 9',
      'activation checkpointing (checkpoint()) in blocks of √layers',
      'momentum, a rule with one slot a weight',
      'sgd, a rule with no slot a weight',
      expect.stringMatching(/^a VRAM budget of /),
    ]);
    expect(found[2]?.neededDeviceBytes).toBe(needed - 4096);
    expect(found[3]?.neededDeviceBytes).toBe(needed - 8192);
    // 4,097 bytes less: one slot fewer is not enough.
    const less = short(own, needed - 4097)?.remedies.map(({ to }) => to);
    expect(less).not.toContain('momentum');
    expect(less).toContain('sgd');
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
