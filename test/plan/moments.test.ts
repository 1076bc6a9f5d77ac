// What gradients, moments and sums of micro-batches take in one step. Weights of 512 × 512: 1 MiB in float32,
// 1,024 blocks of 260 bytes in 8 bits.

import { plan, type PlanOptions } from 'slowlane';
import { describe, expect, test } from 'vitest';

const MIB = 2 ** 20;
const WEIGHTS = Array.from({ length: 16 }, () => ({ shape: [512, 512] }));
const Q8 = 1024 * 260;

function planned(options: Partial<PlanOptions>) {
  const { policies } = plan({
    weights: WEIGHTS,
    vramBudget: '1GiB',
    gradients: 'release',
    moments: 'host:f32',
    slow: 'host:f32',
    ...options,
  });
  const [one] = policies;
  if (one === undefined || policies.length !== 1) throw new Error('Not one policy.');
  return one;
}

describe('moments on the host', () => {
  test('float32: 2 MiB of one weight on the device, 64 on the host, as many over the bus', () => {
    const { device, host, bus } = planned({});
    expect(device).toMatchObject({ gradients: MIB, moments: 2 * MIB, pool: 0 });
    expect(host.moments).toBe(2 * 32 * MIB);
    expect(bus.bytesPerStep).toBe(2 * 32 * MIB);
    expect(bus.meanBytesPerStep).toBe(2 * 32 * MIB + bus.bytesPerSync / 5);
  });

  test('8 bits: 260 bytes a block', () => {
    const { device, host, bus } = planned({ moments: 'host:q8' });
    expect(device).toMatchObject({ moments: 2 * Q8, pool: 0 });
    expect(host.moments).toBe(2 * 2 * 16 * Q8);
    expect(bus.bytesPerStep).toBe(2 * 2 * 16 * Q8);
  });

  test('weights of fewer than 4,096 elements keep theirs on the device', () => {
    const small = planned({ weights: [4095], moments: 'host:q8' });
    expect(small.device.moments).toBe(2 * 4 * 4095);
    // Slow weights, whose part of a piece is whole 256 bytes, and the pair of buffers that they pass through.
    expect(small.hostBytes).toBe((1 + 2) * 4 * 4096);
    expect(small.bus.bytesPerStep).toBe(0);
    const both = planned({ weights: [4095, 4096] });
    expect(both.device.moments).toBe(2 * 4 * (4095 + 4096));
    expect(both.host.moments).toBe(2 * 2 * 4 * 4096);
  });

  test('the pool has what serves no larger weight: gradient and slots of 16 KiB each', () => {
    const { device } = planned({ weights: [4096, 8192] });
    expect(device).toMatchObject({ gradients: 32 * 1024, moments: 64 * 1024, pool: 48 * 1024 });
  });

  test('kept gradients that are used make room for the moments of the next weight', () => {
    const { device, deviceBytes, neededDeviceBytes } = planned({ gradients: 'keep' });
    expect(device).toMatchObject({ gradients: 16 * MIB, moments: 2 * MIB, pool: 0 });
    expect(deviceBytes).toBe(neededDeviceBytes);
  });

  test('the host budget counts them', () => {
    const request = { hostBudget: '64MiB', slow: 'host:f16', weights: WEIGHTS } as const;
    expect(planned({ ...request, moments: 'host:f32' }).fits).toBe(false); // 64 and 16
    expect(planned({ ...request, moments: 'host:q8' }).fits).toBe(true);
  });
});

describe('micro-batches', () => {
  test.each([
    ['adam', 'device:f32', 0],
    ['adamw', 'host:f32', 0],
    ['momentum', 'device:f32', 0],
    ['adam', 'device:q8', 16],
    ['adam', 'host:q8', 16],
    ['lion', 'device:f32', 16],
    ['sgd', 'device:f32', 16],
  ] as const)('%s with %s: %d sums', (inner, moments, sums) => {
    const one = planned({ inner, moments });
    const four = planned({ inner, moments, accumulate: 4 });
    // Beside the sums there are the sum with the last gradient, and their mean.
    const more = sums === 0 ? 0 : sums + 2;
    expect(four.device.gradients - one.device.gradients).toBe(more * MIB);
    expect(four.device.moments).toBe(one.device.moments);
  });

  test('small weights take gradients into float32 slots, 8-bit moments or not', () => {
    const { device } = planned({ weights: [4095], moments: 'device:q8', accumulate: 4 });
    expect(device.gradients).toBe(4 * 4095);
  });

  test('moments on the host travel with each micro-batch they take in; with sums once a step', () => {
    const perStep = (moments: 'host:f32' | 'host:q8', accumulate: number) =>
      planned({ moments, accumulate }).bus.bytesPerStep;
    expect(perStep('host:f32', 4)).toBe(4 * perStep('host:f32', 1));
    expect(perStep('host:q8', 4)).toBe(perStep('host:q8', 1));
  });

  test('clipping is named where it would make a difference', () => {
    const notes = (options: Partial<PlanOptions>) =>
      plan({ weights: '1M', vramBudget: '1GiB', ...options }).assumptions.join();
    expect(notes({ accumulate: 4 })).toContain('not clipped');
    expect(notes({ accumulate: 4, inner: 'lion' })).not.toContain('clipped');
    expect(notes({})).not.toContain('clipped');
  });
});

describe('slow weights on the device', () => {
  test('as much as the weights again, and five tensors of one for the blend', () => {
    const { device, hostBytes, bus } = planned({ slow: 'device:f32', moments: 'device:f32' });
    expect(device).toMatchObject({ weights: 32 * MIB, gradients: MIB, staging: 4 * MIB });
    expect(hostBytes).toBe(0);
    expect(bus.meanBytesPerStep).toBe(0);
    // Gradients that were kept are gone by then, and leave more than that.
    const kept = planned({ slow: 'device:f32', moments: 'device:f32', gradients: 'keep' });
    expect(kept.device.staging).toBe(0);
  });
});

describe('the choice', () => {
  // MiB on the device: weights, gradients, moments, staging.
  const request = { weights: WEIGHTS, inner: 'adam' } as const;

  test.each([
    ['65MiB', 'keep', 'device:f32'], // 16 + 16 + 32 + 1
    ['64MiB', 'release', 'device:f32'], // 16 + 1 + 32 + 1
    ['49MiB', 'keep', 'device:q8'], // 16 + 16 + 8.1 + 1
    ['41MiB', 'release', 'device:q8'], // 16 + 1 + 8.1 + 1
    ['26MiB', 'release', 'host:q8'], // 16 + 1 + 0.5 + 1
  ] as const)('%s: gradients %s, moments %s', (vramBudget, gradients, moments) => {
    const { pick } = plan({ ...request, vramBudget });
    expect(pick?.policy).toEqual({ gradients, moments, slow: 'host:f16' });
  });

  test('slow weights stay on the host although the device had room, unless asked for', () => {
    expect(plan({ ...request, vramBudget: '1GiB' }).pick?.policy.slow).toBe('host:f16');
    const asked = plan({ ...request, vramBudget: '1GiB', slow: 'device:f32' });
    expect(asked.pick?.bus.meanBytesPerStep).toBe(0);
  });

  test('a host without memory: slow weights on the device', () => {
    const { pick } = plan({ ...request, vramBudget: '1GiB', hostBudget: 1 });
    expect(pick?.policy).toEqual({ gradients: 'keep', moments: 'device:f32', slow: 'device:f32' });
  });

  test('float32 moments on the host for those who want their numbers', () => {
    const { pick } = plan({ ...request, vramBudget: '26MiB', moments: 'host:f32' });
    expect(pick?.policy).toMatchObject({ gradients: 'release', moments: 'host:f32' });
  });
});
