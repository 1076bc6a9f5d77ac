// `bench fit` but for its processes: what becomes of tries, the planner's estimates, the time that is left.

import { describe, expect, test } from 'vitest';

import { estimateLayers, mostLayers } from '#src/cli/bench/fit/estimate.js';
import { fitPolicy } from '#src/cli/bench/fit/fit-policy.js';
import type { FitOptions, FitTry } from '#src/cli/bench/fit/record.js';
import { FIT_POLICIES, policyNamed } from '#src/measure/workloads/policies.js';
import { timeLeftMs } from '#src/cli/bench/fit/time-left.js';
import type { TryResult } from '#src/cli/bench/fit/try-stack.js';
import type { Failure } from '#src/measure/process/failure.js';
import type { Ended } from '#src/measure/process/run-cell.js';
import { GRADIENT_LIFETIMES, MOMENT_POLICIES } from '#src/optimizers/step-options.js';

const MIB = 2 ** 20;
const OPTIONS: FitOptions = {
  vramBytes: 64 * MIB,
  width: 512,
  batch: 8,
  steps: 6,
  syncPeriod: 5,
  maxLayers: 1000,
  tryTimeoutMs: 1000,
  policies: [],
  adapter: null,
};

const ended = (result: TryResult | null, failure: Failure | null = null): Ended<TryResult> => ({
  result,
  failure,
  phase: null,
  wallMs: 10.4,
});

/** Takes 16 MiB a layer, or ends as `otherwise` says. */
const taking16MiB =
  (otherwise: (layers: number) => Ended<TryResult> | null = () => null) =>
  async (_: unknown, layers: number): Promise<Ended<TryResult>> => {
    const other = otherwise(layers);
    if (other !== null) return other;
    if (layers > 4) return ended({ fits: false, reason: 'it would pass the budget' });
    return ended({ fits: true, peakBytes: layers * 16 * MIB, hostBytes: 7, losses: [2, 1] });
  };

const tfjs = policyNamed('tfjs-adam');

test('there is a policy for each kind of moments and of gradients, and two of tfjs', () => {
  expect(FIT_POLICIES).toHaveLength(2 + MOMENT_POLICIES.length * GRADIENT_LIFETIMES.length);
  expect(new Set(FIT_POLICIES.map(({ name }) => name)).size).toBe(FIT_POLICIES.length);
  expect(() => policyNamed('adam')).toThrow(/no policy 'adam'.*tfjs-adam, tfjs-adam-lookahead/);
});

describe('a policy', () => {
  test('done: the numbers are those of the largest stack, not of the last try', async () => {
    expect(await fitPolicy(tfjs, OPTIONS, taking16MiB())).toEqual({
      policy: 'tfjs-adam',
      status: 'done',
      layers: 4,
      isLargest: true,
      parameters: 4 * 512 * 512,
      peakBytes: 64 * MIB,
      hostBytes: 7,
      bytesPerParameter: 64, // 16 MiB / 256 Ki
      losses: [2, 1],
      estimate: null,
      tries: [
        { layers: 1, outcome: 'fits', wallMs: 10, peakBytes: 16 * MIB, reason: null },
        { layers: 2, outcome: 'fits', wallMs: 10, peakBytes: 32 * MIB, reason: null },
        { layers: 4, outcome: 'fits', wallMs: 10, peakBytes: 64 * MIB, reason: null },
        ...[8, 6, 5].map((layers) => ({
          layers,
          outcome: 'over budget',
          wallMs: 10,
          peakBytes: null,
          reason: 'it would pass the budget',
        })),
      ],
      failure: null,
    });
  });

  test('not even one layer', async () => {
    const never = async () => ended({ fits: false, reason: 'no' });
    expect(await fitPolicy(tfjs, OPTIONS, never)).toMatchObject({
      status: 'done',
      layers: 0,
      isLargest: true,
      parameters: 0,
      peakBytes: null,
      bytesPerParameter: null,
    });
  });

  test('more layers are not tried than --max-layers allows, nor than the weights alone take', async () => {
    const two = await fitPolicy(tfjs, { ...OPTIONS, maxLayers: 2 }, taking16MiB());
    expect(two).toMatchObject({ layers: 2, isLargest: false, status: 'done' });
    expect(two.tries.map(({ layers }) => layers)).toEqual([1, 2]);
    expect(mostLayers(OPTIONS)).toBe(64); // of 1 MiB
    expect(mostLayers({ ...OPTIONS, vramBytes: MIB - 1 })).toBe(0);
  });

  test('a try that fails is not a no: the search ends, with what fits by then', async () => {
    const failure = { kind: 'crashed', reason: 'signal SIGSEGV' } as const;
    const cell = await fitPolicy(
      tfjs,
      OPTIONS,
      taking16MiB((layers) => (layers === 4 ? ended(null, failure) : null)),
    );
    expect(cell).toMatchObject({ status: 'failed', layers: 2, isLargest: false, failure });
    expect(cell.tries.at(-1)).toMatchObject({ outcome: 'failed', reason: 'signal SIGSEGV' });
    const silent = await fitPolicy(tfjs, OPTIONS, async () => ended(null));
    expect(silent).toMatchObject({
      status: 'failed',
      layers: 0,
      isLargest: false,
      failure: { kind: 'error', reason: 'it ended without a result' },
    });
  });

  test('an interrupt ends it as stopped', async () => {
    const failure = { kind: 'interrupted', reason: 'the run was interrupted' } as const;
    const cell = await fitPolicy(
      tfjs,
      OPTIONS,
      taking16MiB((layers) => (layers === 2 ? ended(null, failure) : null)),
    );
    expect(cell).toMatchObject({ status: 'stopped', layers: 1, isLargest: false, failure });
    expect(cell.tries.at(-1)?.outcome).toBe('stopped');
  });
});

describe("the planner's estimates", () => {
  test('none of tfjs; of ours what the weights and moments leave room for', () => {
    expect(estimateLayers(tfjs, OPTIONS)).toBeNull();
    // 64 layers would be weights alone: 16 B a parameter make 16 of them, 12 B 21; a little is for the rest.
    expect(estimateLayers(policyNamed('keep+device:f32'), OPTIONS)).toBe(15);
    expect(estimateLayers(policyNamed('release+device:f32'), OPTIONS)).toBe(20);
  });
});

describe('the time that is left', () => {
  const tried = (layers: number, wallMs: number): FitTry => ({
    layers,
    outcome: 'fits',
    wallMs,
    peakBytes: 1,
    reason: null,
  });
  const refused = (layers: number): FitTry => ({
    layers,
    outcome: 'over budget',
    wallMs: 500,
    peakBytes: null,
    reason: 'too much',
  });
  /** 2 s, and 1 s a layer. */
  const over = [[tried(1, 3000), tried(3, 5000)]];

  test('before a policy begins: as many tries as the others took, of the size of its estimate', () => {
    const now = { estimate: 10, tries: [] }; // two of 12 s
    expect(timeLeftMs({ over, now, toCome: [] })).toBeCloseTo(24_000);
    expect(timeLeftMs({ over, now, toCome: [20] })).toBeCloseTo(24_000 + 44_000);
    const eight = [Array.from({ length: 8 }, (_, i) => tried(i + 1, 3000 + 1000 * i))];
    expect(timeLeftMs({ over: eight, now, toCome: [] })).toBeCloseTo(8 * 12_000);
  });

  test('an estimate that fits: one more try, by its own time', () => {
    const now = { estimate: 10, tries: [tried(10, 30_000)] };
    expect(timeLeftMs({ over, now, toCome: [] })).toBeCloseTo(33_000); // 11 layers
  });

  test('an estimate that is too low, or too high: nobody knows how far the search goes', () => {
    const low = { estimate: 10, tries: [tried(10, 30_000), tried(11, 33_000)] };
    expect(timeLeftMs({ over, now: low, toCome: [] })).toBeNull();
    expect(timeLeftMs({ over, now: low, toCome: [20] })).toBeNull();
    const high = { estimate: 10, tries: [refused(10)] };
    expect(timeLeftMs({ over, now: high, toCome: [] })).toBeNull();
  });

  test('between one that fits and one that does not the rest is halved, and gets less with each try', () => {
    const tries = [tried(10, 30_000), tried(11, 33_000), tried(13, 39_000), refused(17)];
    const leftAfter = (...more: FitTry[]) =>
      timeLeftMs({ over, now: { estimate: 10, tries: [...tries, ...more] }, toCome: [] });
    expect(leftAfter()).toBeCloseTo(2 * 45_000); // of 14 to 16, about 15 layers
    expect(leftAfter(refused(15))).toBeCloseTo(42_000); // 14 layers
    // Without an estimate too: of 5, 6 and 7 layers two tries, of about 6.
    const now = { estimate: null, tries: [tried(2, 4000), tried(4, 6000), refused(8)] };
    expect(timeLeftMs({ over: [], now, toCome: [] })).toBeCloseTo(2 * 8000);
  });

  test('is not told where it would be made up', () => {
    const now = { estimate: 10, tries: [] };
    expect(timeLeftMs({ over: [], now, toCome: [] })).toBeNull();
    const oneSize = [[tried(2, 4000), tried(2, 4100)]];
    expect(timeLeftMs({ over: oneSize, now, toCome: [] })).toBeNull();
    const moreTookLess = [[tried(2, 4000), tried(3, 3000)]];
    expect(timeLeftMs({ over: moreTookLess, now, toCome: [] })).toBeNull();
    expect(timeLeftMs({ over, now, toCome: [null] })).toBeNull();
    expect(timeLeftMs({ over, now: { estimate: null, tries: [] }, toCome: [] })).toBeNull();
  });
});
