// A plan in sentences, word by word.

import { expect, test } from 'vitest';

import { describePlan, describeShortfall, notesOf, verdictOf } from '#src/plan/describe.js';
import type { Plan, PlannedPolicy } from '#src/plan/make-plan.js';
import type { DescribedOverride } from '#src/plan/overrides.js';
import type { Policy } from '#src/plan/policies.js';

const KIB = 1024;
const exact: Policy = { gradients: 'keep', moments: 'device:f32', slow: 'host:f32' };
const small: Policy = { gradients: 'release', moments: 'host:q8', slow: 'host:f16' };

const pickOf = (policy: Policy, count = 2): PlannedPolicy => ({
  policy,
  fits: true,
  extraMsPerStep: null,
  largestModel: 1,
  largestBatch: null,
  device: { weights: 4 * KIB, gradients: 0, moments: 8 * KIB, staging: 1, activations: 0, pool: 0 },
  deviceBytes: 12 * KIB + 1,
  neededDeviceBytes: 12 * KIB + 1,
  host: { slow: KIB, staging: KIB, moments: 0 },
  hostBytes: 2 * KIB,
  bus: { bytesPerStep: 0, bytesPerSync: 2 * KIB, meanBytesPerStep: 512 },
  chunks: { count, bytes: KIB },
});

const made = (changed: Partial<Plan> = {}): Plan => ({
  parameters: 1024,
  inner: 'adam',
  batchSize: 32,
  accumulate: 1,
  syncPeriod: 4,
  overrides: [],
  vramBudgetBytes: 16 * KIB,
  hostBudgetBytes: null,
  busBytesPerSecond: null,
  pick: pickOf(exact),
  policies: [],
  shortfall: null,
  assumptions: [],
  ...changed,
});

const codeOf = (changed: Partial<Plan>) => verdictOf(made(changed))[0];

test('the request, the pick, and what it takes', () => {
  expect(describePlan(made())).toBe(
    [
      '1.02k parameters, adam, batch 32, a sync every 4 steps, VRAM budget 16 KiB',
      "→ lookahead(adam(), { slow: 'host:f32' })",
      '  on the device: weights 4 KiB, moments 8 KiB, staging 1 B',
      '  on the host: 2 KiB; over the bus: 512 B a step',
      '  slow weights cross the bus in 2 pieces of at most 1 KiB',
    ].join('\n'),
  );
});

test('micro-batches, a host budget, assumptions, and what the time of the bus means', () => {
  const plan = made({
    accumulate: 8,
    hostBudgetBytes: 2 * KIB,
    busBytesPerSecond: 1e9,
    assumptions: ['16 weights of the same size'],
    pick: pickOf(exact, 1),
  });
  expect(describePlan(plan)).toBe(
    [
      '1.02k parameters, adam, 8 micro-batches of 32, a sync every 4 steps, VRAM budget 16 KiB, host budget 2 KiB',
      "→ lookahead(adam({ accumulate: 8 }), { slow: 'host:f32' })",
      '  on the device: weights 4 KiB, moments 8 KiB, staging 1 B',
      '  on the host: 2 KiB; over the bus: 512 B a step',
      '  slow weights cross the bus in 1 piece of at most 1 KiB',
      '',
      'Assumed:',
      '  - 16 weights of the same size',
      '  - ms/step is the time on the bus if none of it were hidden behind the steps',
    ].join('\n'),
  );
  expect(notesOf(made({ assumptions: ['a'] }))).toEqual(['', 'Assumed:', '  - a']);
  expect(notesOf(made())).toEqual([]);
});

test('no slow weights on the host: nothing about pieces', () => {
  expect(verdictOf(made({ pick: pickOf(exact, 0) }))).toHaveLength(3);
});

test('the call has what differs from the defaults', () => {
  expect(codeOf({ pick: pickOf(small), accumulate: 2 })).toBe(
    "→ lookahead(adam({ gradients: 'release', moments: 'host:q8', accumulate: 2 }), { slow: 'host:f16' })",
  );
  expect(codeOf({ pick: pickOf({ ...exact, gradients: 'release' }) })).toBe(
    "→ lookahead(adam({ gradients: 'release' }), { slow: 'host:f32' })",
  );
});

test('overrides go where they are set, and are listed with the weights that they match', () => {
  const overrides: readonly DescribedOverride[] = [
    { weights: "'head'", count: 1, moments: 'host:q8' },
    { weights: '/^emb/', count: 3, slow: 'host:int8', slowStepSize: 0.25, moments: 'device:q8' },
    { weights: "'norm'", count: 2, exclude: true },
  ];
  expect(verdictOf(made({ overrides })).slice(0, 4)).toEqual([
    "→ lookahead(adam({ overrides: [{ weights: 'head', moments: 'host:q8' }, { weights: /^emb/, moments: 'device:q8' }] }), " +
      "{ slow: 'host:f32', overrides: [{ weights: /^emb/, slow: 'host:int8', slowStepSize: 0.25 }, { weights: 'norm', exclude: true }] })",
    "  override 'head' (1 weight): moments: 'host:q8'",
    "  override /^emb/ (3 weights): slow: 'host:int8', slowStepSize: 0.25, moments: 'device:q8'",
    "  override 'norm' (2 weights): exclude: true",
  ]);
});

test('nothing fits: what is missing, and what would help', () => {
  const remedy = (text: string) =>
    ({ change: 'vramBudget', to: 1, neededDeviceBytes: 1, text }) as const;
  const shortfall = (deviceBytes: number, hostBytes: number, ...texts: string[]) => ({
    policy: small,
    deviceBytes,
    hostBytes,
    remedies: texts.map(remedy),
  });
  const both = made({ pick: null, shortfall: shortfall(KIB, 2 * KIB, 'one', 'two') });
  const closest = 'Gradients release, moments host:q8 and slow host:f16 come closest; ';
  expect(verdictOf(both)).toEqual([
    `Nothing fits. ${closest}1 KiB of VRAM and 2 KiB on the host are missing.`,
    'Any one of these changes is enough:',
    '  - one',
    '  - two',
  ]);
  expect(describeShortfall(both)).toBe(
    `Nothing fits into the VRAM budget of 16 KiB. ${closest}1 KiB of VRAM and 2 KiB on the host are missing. ` +
      'Any one of these changes is enough: one; two.',
  );
  const onDevice = made({ pick: null, shortfall: shortfall(KIB, 0, 'one') });
  expect(verdictOf(onDevice)[0]).toBe(`Nothing fits. ${closest}1 KiB of VRAM are missing.`);
  const onHost = made({ pick: null, shortfall: shortfall(0, 1, 'one') });
  expect(verdictOf(onHost)[0]).toBe(`Nothing fits. ${closest}1 B on the host are missing.`);
  expect(describeShortfall(made())).toBe('');
  expect(verdictOf(made({ pick: null }))).toEqual([]);
});
