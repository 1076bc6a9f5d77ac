// The largest that fits, and what helps where nothing does.

import { describe, expect, test } from 'vitest';

import { doesFit, largestBatch, largestModel, largestThat } from '#src/plan/largest.js';
import type { Policy } from '#src/plan/policies.js';
import { policyBytes, type Training } from '#src/plan/policy-bytes.js';
import { shortfallOf } from '#src/plan/shortfall.js';
import { ruleOf } from '#src/plan/step-bytes.js';
import { bare, exact, training } from './small-training.js';

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
    const none = { ...training, weights: [], layers };
    expect(largestBatch(exact, none, { deviceBytes: 40, hostBytes: Infinity })).toBe(10);
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

  test('lacking a little on both sides is more than lacking as much on one', () => {
    const bytes = policyBytes(exact, training);
    const of = (policy: Policy, neededDeviceBytes: number, hostBytes: number) => ({
      ...bytes,
      policy,
      neededDeviceBytes,
      hostBytes,
    });
    const budgets = { deviceBytes: 1000, hostBytes: 1000 };
    const plans = [of(exact, 1100, 0), of(bare, 1060, 1060)];
    for (const order of [plans, plans.toReversed()]) {
      expect(shortfallOf(order, training, budgets)).toMatchObject({ policy: exact, hostBytes: 0 });
    }
  });

  test('nothing that would not help is a remedy', () => {
    const kinds = (changed: Partial<Training>, spare: number, hostBytes = Infinity) => {
      const { neededDeviceBytes } = policyBytes(exact, { ...training, ...changed });
      return short(changed, neededDeviceBytes + spare, hostBytes)?.remedies.map(
        ({ change }) => change,
      );
    };
    const layer = { name: '', outputElements: 100, savedTensors: 3, gradientTensors: 0 };
    const one = { layers: { inputElements: 0, layers: [layer] } };
    // A single example is too much already, and one layer cannot be checkpointed.
    expect(kinds(one, -1)).toEqual(['vramBudget']);
    // momentum would take in the gradients of micro-batches, but is no smaller rule.
    expect(kinds({ accumulate: 2 }, -1)).toEqual(['vramBudget']);
    // No rule has three slots, and one of four lacks too much.
    expect(kinds({ rule: { slots: 4, takesGradients: false } }, -1)).toEqual([
      'inner',
      'inner',
      'inner',
      'vramBudget',
    ]);
    const { hostBytes } = policyBytes(exact, training);
    const text = short({}, 10_000, hostBytes)?.remedies[0]?.text;
    expect(text).toBe('a VRAM budget of 10 KiB');
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
