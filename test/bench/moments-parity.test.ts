import { describe, expect, test } from 'vitest';
import { type Curve, compare, fulfils } from '#bench/parity/comparison.js';

const curve = (testLoss: number, ...losses: number[]): Curve => ({ testLoss, losses });

describe('the comparison of trainings', () => {
  const references = [curve(2, 4, 3, 2, 1), curve(4, 4, 3, 2, 1)];

  test('ratios by seed, their mean and its error', () => {
    const found = compare([curve(2.02, 4, 3, 2, 1), curve(3.96, 4, 3, 2, 1)], references);
    expect(found.ratios[0]).toBeCloseTo(1.01, 12);
    expect(found.ratios[1]).toBeCloseTo(0.99, 12);
    expect(found.mean).toBeCloseTo(1, 12);
    // Deviation √(2 · 0.01² / 1), over √2.
    expect(found.standardError).toBeCloseTo(0.01, 12);
    expect(found.farthest).toBeCloseTo(0.01, 12);
  });

  test('the least correlation of all seeds', () => {
    const found = compare([curve(2, 8, 6, 4, 2), curve(4, 4, 3, 1, 2)], references);
    // Deviations 1.5, .5, −.5, −1.5 with 1.5, .5, −1.5, −.5: 4 of 5.
    expect(found.correlations.raw).toBeCloseTo(0.8, 12);
    expect(found.correlations.rawSecondHalf).toBeCloseTo(-1, 12);
  });

  test('one seed that is off by more than 1 %, or a curve that goes elsewhere, is too much', () => {
    const [a, b] = references as [Curve, Curve];
    expect(fulfils(compare([{ ...a, testLoss: 2.019 }, b], references))).toBe(true);
    expect(fulfils(compare([{ ...a, testLoss: 2.021 }, b], references))).toBe(false);
    expect(fulfils(compare([{ ...a, testLoss: 1.979 }, b], references))).toBe(false);
    expect(fulfils(compare([{ ...a, losses: [4, 3, 2, 1.5] }, b], references))).toBe(false);
  });

  test('needs a reference for each', () => {
    expect(() => compare([curve(1)], [])).toThrow("1 trainings can't be compared with 0.");
  });
});
