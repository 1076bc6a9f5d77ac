// The planner's arithmetic. 16 weights of 512 × 512 are 4 Mi parameters: 16 MiB in float32.

import { plan, type PlanOptions } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { parseCount } from '#src/checks/counts.js';
import { shortCount } from '#src/checks/quantities.js';

const MIB = 2 ** 20;
const WEIGHTS = Array.from({ length: 16 }, () => ({ shape: [512, 512] }));

/** The only policy left. */
function planned(options: Partial<PlanOptions>) {
  const { policies } = plan({
    weights: WEIGHTS,
    vramBudget: '1GiB',
    gradients: 'keep',
    moments: 'device:f32',
    slow: 'host:f32',
    ...options,
  });
  const [one] = policies;
  if (one === undefined) throw new Error('No policy.');
  return one;
}

describe('bytes', () => {
  test('gradients kept, Adam: 16 MiB weights, 16 gradients, 2 × 16 moments, 1 staging', () => {
    const { device, deviceBytes, neededDeviceBytes } = planned({});
    expect(device).toEqual({
      weights: 16 * MIB,
      gradients: 16 * MIB,
      moments: 32 * MIB,
      staging: 1 * MIB, // 5 % of 16 MiB are less
      activations: 0,
      pool: 0,
    });
    expect(deviceBytes).toBe(65 * MIB);
    expect(neededDeviceBytes).toBe(65 * MIB);
  });

  test('gradients released: one of them, 1 MiB, instead of all 16', () => {
    expect(planned({ gradients: 'release' }).deviceBytes).toBe(50 * MIB);
  });

  test('released, weights of 4 and of 8 KiB: one gradient of 8, and one of 4 in the pool', () => {
    const { device, deviceBytes, neededDeviceBytes } = planned({
      gradients: 'release',
      weights: [1024, 2048, 1024],
    });
    expect(device).toMatchObject({ gradients: 8192, pool: 4096 });
    expect(deviceBytes - neededDeviceBytes).toBe(4096);
  });

  test('moments in 8 bits: 260 bytes for each block of 256 elements, 1,024 blocks a weight', () => {
    const { device } = planned({ moments: 'device:q8' });
    expect(device.moments).toBe(2 * 16 * 1024 * 260);
    // Weights of fewer than 4,096 elements keep float32; a last block is whole.
    expect(planned({ moments: 'device:q8', weights: [4095] }).device.moments).toBe(2 * 4 * 4095);
    expect(planned({ moments: 'device:q8', weights: [4097] }).device.moments).toBe(2 * 17 * 260);
  });

  test.each([
    ['sgd', 0],
    ['momentum', 1],
    ['lion', 1],
    ['adamw', 2],
  ] as const)('%s has %d slots of 16 MiB', (inner, slots) => {
    expect(planned({ inner }).device.moments).toBe(slots * 16 * MIB);
  });

  test.each([
    ['host:f32', 16],
    ['host:f16', 8],
  ] as const)('slow %s: %d MiB on the host; over the bus as many up, and down', (slow, mib) => {
    const { host, hostBytes, bus } = planned({ slow, syncPeriod: 4 });
    // On the host once, and four pieces of 256 KiB that go up and come down.
    expect(host).toEqual({ slow: mib * MIB, staging: 2 * MIB, moments: 0 });
    expect(hostBytes).toBe((mib + 2) * MIB);
    expect(bus).toEqual({
      bytesPerStep: 0,
      bytesPerSync: 2 * mib * MIB,
      meanBytesPerStep: (2 * mib * MIB) / 4,
    });
  });

  test('slow weights of biases stay float32', () => {
    const weights = [{ shape: [64, 64] }, { shape: [64] }];
    // 4,096 × 2 + 64 × 4
    expect(planned({ slow: 'host:f16', weights }).host.slow).toBe(8448);
  });

  test('a piece is a quarter of the staging, and not more than chunkBytes', () => {
    expect(planned({}).chunks).toEqual({ count: 64, bytes: MIB / 4 });
    expect(planned({ chunkBytes: MIB / 8 }).chunks).toEqual({ count: 128, bytes: MIB / 8 });
    // 5 % of 1,600 MiB are 80 MiB; four pieces of 4 MiB are less.
    const large = planned({ weights: 400 * MIB, vramBudget: '8GiB' });
    expect(large.chunks).toEqual({ count: 400, bytes: 4 * MIB });
    expect(large.device.staging).toBe(16 * MIB);
  });
});

describe('the choice', () => {
  test('everything fits: exact moments, kept gradients, the fewest bytes over the bus that stay close', () => {
    const { pick, policies } = plan({ weights: WEIGHTS, vramBudget: '1GiB' });
    expect(pick?.policy).toEqual({ moments: 'device:f32', gradients: 'keep', slow: 'host:f16' });
    // int8 moves fewer, and costs accuracy: to be asked for.
    const onHost = policies.filter(({ policy }) => policy.slow.startsWith('host:'));
    const fewest = Math.min(...onHost.map(({ bus }) => bus.meanBytesPerStep));
    const asked = plan({ weights: WEIGHTS, vramBudget: '1GiB', slow: 'host:int8' });
    expect(asked.pick?.bus.meanBytesPerStep).toBe(fewest);
  });

  test('64 MiB are too few to keep gradients (65), and enough to release them (50)', () => {
    const { pick } = plan({ weights: WEIGHTS, vramBudget: '64MiB' });
    expect(pick?.policy).toMatchObject({ moments: 'device:f32', gradients: 'release' });
  });

  test('among equals the exact one: float32 before fp16 where nothing goes over the bus', () => {
    // Only biases: every format keeps them in float32.
    const { pick } = plan({ weights: [{ shape: [512] }], vramBudget: '64MiB' });
    expect(pick?.policy.slow).toBe('host:f32');
  });

  test('a host budget counts: 18 MiB for float32, 10 for fp16', () => {
    const request = { weights: WEIGHTS, vramBudget: '1GiB', hostBudget: '17MiB' };
    const { policies } = plan({ ...request, moments: 'device:f32' });
    for (const { policy, fits } of policies) {
      if (policy.slow === 'host:f32') expect(fits).toBe(false);
      if (policy.slow === 'host:f16') expect(fits).toBe(true);
    }
  });

  test('what fits into the budget to the byte fits', () => {
    const fixed = { gradients: 'keep', moments: 'device:f32', slow: 'host:f32' } as const;
    expect(plan({ weights: WEIGHTS, vramBudget: 65 * MIB, ...fixed }).pick).not.toBeNull();
    expect(plan({ weights: WEIGHTS, vramBudget: 65 * MIB - 1, ...fixed }).pick).toBeNull();
  });

  test('the time of the bus: 32 MiB every 5 steps at 64 MiB a second are 100 ms a step', () => {
    expect(planned({ bus: 64 * MIB }).extraMsPerStep).toBe(100);
    expect(planned({ bus: 'pcie4x16' }).extraMsPerStep).toBeCloseTo((32 * MIB) / 5 / 24e6);
    expect(planned({ bus: '12GB/s' }).extraMsPerStep).toBeCloseTo((32 * MIB) / 5 / 12e6);
    expect(planned({}).extraMsPerStep).toBeNull();
  });

  test('a plan is frozen through and through', () => {
    const made = plan({ weights: '350M', vramBudget: '4GiB' });
    const parts: unknown[] = [made];
    for (const part of parts) {
      if (typeof part !== 'object' || part === null) continue;
      expect(Object.isFrozen(part)).toBe(true);
      parts.push(...Object.values(part));
    }
    expect(parts.length).toBeGreaterThan(50);
  });
});

describe('nothing fits', () => {
  const fixed = { gradients: 'keep', moments: 'device:f32', slow: 'host:f32' } as const;

  test('it says by how much, and which rule would do', () => {
    // Adam needs 65 MiB, a rule with one slot 49, with none 33.
    const { pick, shortfall } = plan({ weights: WEIGHTS, vramBudget: '50MiB', ...fixed });
    expect(pick).toBeNull();
    expect(shortfall?.deviceBytes).toBe(15 * MIB);
    expect(shortfall?.hostBytes).toBe(0);
    expect(shortfall?.remedies.map(({ change, to }) => [change, to])).toEqual([
      ['inner', 'momentum'],
      ['inner', 'sgd'],
      ['vramBudget', 65 * MIB],
    ]);
    expect(shortfall?.remedies[0]?.text).toBe(
      'momentum, a rule with one slot a weight (49 MiB of VRAM)',
    );
    const none = plan({ weights: WEIGHTS, vramBudget: '32MiB', ...fixed }).shortfall;
    expect(none?.remedies.map(({ change }) => change)).toEqual(['vramBudget']);
  });

  test('the closest policy is the one that lacks least', () => {
    const { shortfall } = plan({ weights: WEIGHTS, vramBudget: '8MiB' });
    expect(shortfall?.policy).toMatchObject({ gradients: 'release', moments: 'host:q8' });
  });

  test('missing on the host alone, and on both sides', () => {
    const host = plan({ weights: WEIGHTS, vramBudget: '1GiB', hostBudget: '1MiB', ...fixed });
    expect(host.shortfall).toMatchObject({ deviceBytes: 0, hostBytes: 17 * MIB });
    expect(host.shortfall?.remedies.map(({ text }) => text)).toEqual(['a host budget of 18 MiB']);
    const both = plan({ weights: WEIGHTS, vramBudget: '1MiB', hostBudget: '1MiB', ...fixed });
    expect(both.shortfall?.remedies.map(({ text }) => text)).toEqual([
      'a VRAM budget of 65 MiB and a host budget of 18 MiB',
    ]);
  });
});

test('the largest model fits, and one more parameter does not', () => {
  const { largestModel } = planned({ vramBudget: '100MiB' });
  const needed = (weights: number) => planned({ weights }).neededDeviceBytes;
  expect(needed(largestModel)).toBeLessThanOrEqual(100 * MIB);
  expect(needed(largestModel + 1)).toBeGreaterThan(100 * MIB);
  expect(shortCount(largestModel)).toBe('6.47M'); // at 16.2 bytes: staging is 5 % of 4
});

test('counts of parameters', () => {
  expect(['350M', '1.3B', '124k', '7e8', '42'].map((text) => parseCount('weights', text))).toEqual([
    350e6, 1.3e9, 124e3, 7e8, 42,
  ]);
});
