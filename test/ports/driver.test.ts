// Where memory is and how much, counted at the driver: npm run test:ports.

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { afterAll, describe, expect, test } from 'vitest';

import { type Card, type Driver, DRIVERS, lavapipe } from './driver.js';
import type { SlowRead, SlowWanted } from './programs/slow-weights.js';
import type { StacksRead, StacksWanted } from './programs/stacks.js';
import { runOnCard } from './run-on-card.js';

const MiB = 2 ** 20;
const HEAP_BYTES = 8 * MiB;
const CARDS: readonly Card[] = [
  [8, 24],
  [8, 6],
  [16, 15],
].flatMap(([vram = 0, host = 0]) =>
  (['full', 'small', 'none'] as const).map((bar) => ({
    vramMiB: vram * 1024,
    hostMiB: host * 1024,
    bar,
  })),
);
const [CARD] = CARDS as [Card];

/** Dawn places what the host writes in the largest heap that it can map coherently. */
const isUploadInVram = ({ vramMiB, hostMiB, bar }: Card) => bar === 'full' && vramMiB > hostMiB;
/** Of slow weights: one half of four pairs of 256 KiB. */
const RING_BYTES = 4 * 2 ** 18;
const STACKS = [
  [300, [100]],
  [64, [600, 450]],
  [16, [512, 512]],
] as const satisfies StacksWanted['stacks'];

const drivers = DRIVERS.filter(isThere);
const results: object[] = [];

afterAll(() => {
  const folder = fileURLToPath(new URL('../../.cache/ports/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}driver.json`, JSON.stringify(results));
});

describe.each(drivers)('%s', (driver) => {
  test('the driver never holds more than is counted and one heap, and gets all back', () => {
    const { adapter, readings, failed } = runOnCard<StacksRead>(driver, CARD, 'stacks', {
      stacks: STACKS,
      engine: {},
    } satisfies StacksWanted);
    expect(failed).toBeNull();
    const over = readings.filter(
      ({ driver, peakBytes }) => driver.peakDeviceBytes > peakBytes + HEAP_BYTES,
    );
    expect(over).toEqual([]);
    const freed = readings.filter(({ what }) => what.endsWith('freed'));
    expect(freed.map(({ driver }) => driver.deviceBytes < MiB)).toEqual([true, true, true]);
    const most = (of: (reading: (typeof readings)[number]) => number) =>
      Math.max(...readings.map(of)) / MiB;
    results.push({
      what: 'stacks',
      driver,
      adapter,
      countedPeakMiB: most(({ peakBytes }) => peakBytes),
      driverPeakMiB: most(({ driver }) => driver.peakDeviceBytes),
    });
  });

  test('300 weights: the first step makes hundreds of allocations, and none from the fourth on makes more than 16', () => {
    const [count, shape] = STACKS[0];
    const { readings, failed } = runOnCard<StacksRead>(driver, CARD, 'stacks', {
      stacks: [[count, shape]],
      engine: {},
      steps: 9,
    } satisfies StacksWanted);
    expect(failed).toBeNull();
    const made = readings.slice(0, 9).map(({ driver }) => driver.vram.allocations);
    const perStep = made.map((sum, i) => sum - (made[i - 1] ?? 0));
    expect(perStep[0]).toBeGreaterThan(count);
    expect(Math.max(...perStep.slice(3))).toBeLessThanOrEqual(16);
    results.push({ what: 'allocations', driver, perStep });
  });

  test('sub-allocated, what is counted is what the driver holds, within one heap', () => {
    const { readings } = runOnCard<StacksRead>(driver, CARD, 'stacks', {
      stacks: STACKS,
      engine: { subAllocate: true },
    } satisfies StacksWanted);
    const wrong = readings.filter(
      ({ driver, peakBytes }) => Math.abs(driver.peakDeviceBytes - peakBytes) > HEAP_BYTES,
    );
    expect(wrong).toEqual([]);
  });

  test.each([
    ['apart', false, false],
    ['sub-allocated', true, true],
  ])('a budget of 300 MiB is never passed at the driver, %s', (_, subAllocate, fails) => {
    const [, stack] = STACKS;
    const { readings, isOverBudget } = runOnCard<StacksRead>(driver, CARD, 'stacks', {
      stacks: [stack],
      engine: { vramBudget: '300MiB', subAllocate },
    } satisfies StacksWanted);
    expect(isOverBudget).toBe(fails); // it takes 266 MiB, or 528 in powers of two
    const peak = Math.max(...readings.map(({ driver }) => driver.peakDeviceBytes));
    expect(peak).toBeLessThanOrEqual(300 * MiB);
    results.push({ what: 'budget', driver, subAllocate, isOverBudget, peakMiB: peak / MiB });
  });

  test('a driver that allows 4,096 allocations: 2,000 weights lose the device with the remedy, which helps', () => {
    const card = { ...CARD, allocations: 4096 };
    const wanted = (subAllocate: boolean): StacksWanted => ({
      stacks: [[2000, [100]]],
      engine: { subAllocate },
      steps: 3,
    });
    const apart = runOnCard<StacksRead>(driver, card, 'stacks', wanted(false));
    expect(apart.failed).toMatch(/allows no more allocations.*subAllocate: true/);
    const together = runOnCard<StacksRead>(driver, card, 'stacks', wanted(true));
    expect(together.failed).toBeNull();
  });

  describe.each([
    { moments: 'device:f32', uploads: 0 },
    { moments: 'host:f32', uploads: 2 },
  ] as const)('slow weights on the host, moments $moments', ({ moments, uploads }) => {
    test.each(CARDS)('$vramMiB MiB of VRAM, $hostMiB on the host, BAR $bar', (card) => {
      const wanted: SlowWanted = { engine: {}, slow: 'host:f32', moments };
      const { one, two, weightBytes } = runOnCard<SlowRead>(driver, card, 'slow-weights', wanted);
      // What two models take beyond one is theirs; Dawn's own is there with one.
      const uncounted = ({ driver, allocatedBytes }: typeof one) =>
        driver.deviceBytes - allocatedBytes;
      const inVram = uncounted(two) - uncounted(one);
      const atMost = RING_BYTES + uploads * weightBytes; // of slow weights the ring alone
      results.push({ what: 'slow', driver, moments, card, inVramMiB: Math.round(inVram / MiB) });
      const expected = isUploadInVram(card) ? atMost : 0;
      expect(inVram).toBeGreaterThanOrEqual(expected);
      expect(inVram).toBeLessThan(expected + 4096); // Dawn uploads some numbers in buffers of its own
    });
  });
});

function isThere(driver: Driver): boolean {
  if (driver === 'swiftshader') return true;
  try {
    lavapipe();
    return true;
  } catch (error) {
    console.warn(`SKIPPED: no ${driver} here: ${String(error)}`);
    results.push({ what: 'skipped', driver, why: String(error).split('\n')[0] });
    return false;
  }
}
