// Options are checked when given, with what was wrong, what was received and what is allowed.

import * as tf from '@tensorflow/tfjs-core';
import {
  adam,
  adaptive,
  Lookahead,
  lookahead,
  type LookaheadOptions,
  momentum,
  sgd,
} from 'slowlane';
import { beforeAll, describe, expect, test } from 'vitest';

import { onEveryEngine } from '../engines.js';

const wrong: [unknown, string][] = [
  [{ syncPeriod: 0 }, 'syncPeriod must be a whole number ≥ 1 and ≤ 2147483647, got 0.'],
  [{ syncPeriod: -1 }, 'got -1.'],
  [{ syncPeriod: 1.5 }, 'got 1.5.'],
  [{ syncPeriod: NaN }, 'got NaN.'],
  [{ syncPeriod: Infinity }, 'got Infinity.'],
  [{ syncPeriod: '5' }, 'got "5" (string).'],
  [{ syncPeriod: null }, 'got null.'],
  [
    { slowStepSize: -1 },
    'slowStepSize must be a finite number ≥ 0 and ≤ 1 or a schedule or adaptive(), got -1.',
  ],
  [{ slowStepSize: 1.5 }, 'got 1.5.'],
  [{ slowStepSize: 1 + Number.EPSILON }, 'got 1.0000000000000002.'],
  [{ slowStepSize: NaN }, 'got NaN.'],
  [{ slowStepSize: Infinity }, 'got Infinity.'],
  [{ slowStepSize: '0.5' }, 'got "0.5" (string).'],
  [{ slowStepSize: null }, 'got null.'],
  [{ slowStepSize: { at: 5 } }, 'got {"at":5} (object).'],
  [
    { innerState: 'keep' },
    "innerState must be 'maintain', 'interpolate' or 'reset', got \"keep\" (string).",
  ],
  [
    { slow: 'gpu' },
    "slow must be 'host:f32', 'host:f16r8', 'host:f16', 'host:bf16', 'host:int8' or 'device:f32', got \"gpu\" (string).",
  ],
  [{ nonFinite: true }, "nonFinite must be 'throw', 'skip' or 'restore', got true (boolean)."],
  [{ slowStepSize: [0.5, 0.4] }, 'got [0.5,0.4] (array).'],
  [
    { slowStepSize: { kind: 'adaptive', min: 7 } },
    'min must be a finite number ≥ 0 and ≤ 1, got 7.',
  ],
  [
    { slowStepSize: { kind: 'adaptive', curvature: 5 } },
    'curvature must be a function of a weight, got 5.',
  ],
  [{ constructor: 1 }, "lookahead() has no option 'constructor'."],
  [{ k: 5 }, "lookahead() has no option 'k'. Did you mean 'syncPeriod'?"],
  [{ alpha: 0.5 }, "Did you mean 'slowStepSize'?"],
  [5, 'lookahead() takes one object of options'],
  [{ workers: -1 }, 'workers must be a whole number ≥ 0'],
  [{ workers: 1.5 }, 'got 1.5.'],
  [{ chunkBytes: 6 }, 'chunkBytes must be a multiple of 4 (bytes of a float32), got 6.'],
  [{ chunkBytes: 0 }, 'chunkBytes must be a whole number ≥ 4 and ≤ 268435456, got 0.'],
  [{ chunkBytes: 4.5 }, 'chunkBytes must be a whole number'],
  [{ chunkBytes: 2 ** 28 + 4 }, 'got 268435460.'],
  [{ workerTimeoutMs: 0 }, 'workerTimeoutMs must be a finite number ≥ 1 and ≤ 2147483647, got 0.'],
  [{ workerTimeoutMs: 2 ** 31 }, 'got 2147483648.'],
  [{ syncPeriod: 2 ** 31 }, 'got 2147483648.'],
  [{ workers: 257 }, 'workers must be a whole number ≥ 0 and ≤ 256, got 257.'],
  [{ vramBudget: 'auto', batchSize: 1.5 }, 'batchSize must be a whole number ≥ 1'],
  [{ vramBudget: 'auto', batchSize: 2 ** 31 }, 'got 2147483648.'],
  [{ hostBudget: 1024 }, 'hostBudget is for the plan that vramBudget asks for, and there is none.'],
  [{ activationBytes: 1024 }, 'activationBytes is for the plan'],
  [{ exclude: 'a' }, "lookahead() has no option 'exclude'"],
  [{ overrides: [{ weights: 'a', exclude: 1 }] }, 'overrides[0].exclude must be true or false'],
  [
    { overrides: [{ weights: 'a', exclude: true, slow: 'host:f16' }] },
    'overrides[0] excludes its weights from Lookahead and sets slow for them. Remove one of the two.',
  ],
  [{ overrides: [{ weights: 'a' }] }, 'overrides[0] sets nothing'],
  [
    { overrides: [{ weights: 'a', slow: 'host:f17' }] },
    "overrides[0].slow must be 'host:f32', 'host:f16r8'",
  ],
  [{ overrides: {} }, 'overrides must be an array of { weights, … }'],
  [{ overrides: [{ slowStepSize: 1 }] }, 'overrides[0].weights must be'],
  [{ overrides: [{ weights: 'a', syncPeriod: 2 }] }, "overrides[0] has no option 'syncPeriod'."],
  [{ overrides: [{ weights: 'a', period: 2 }] }, "overrides[0] has no option 'period'."],
  [{ overrides: [{ weights: 'a', slowStepSize: adaptive() }] }, 'one number for the whole model'],
];

test.each(wrong)('%o is refused', (options, message) => {
  expect(() => lookahead(sgd({ learningRate: 0.1 }), options as LookaheadOptions)).toThrow(message);
});

test('the largest values are allowed', () => {
  const most = 2 ** 31 - 1;
  const options = { syncPeriod: most, workers: 256, chunkBytes: 2 ** 28, workerTimeoutMs: most };
  const plan = { vramBudget: '4GiB', batchSize: most, activationBytes: 1024 };
  const all = { ...options, ...plan };
  expect(lookahead(adam(), all).getConfig()).toMatchObject({ ...all, vramBudget: 2 ** 32 });
});

test('an inner optimizer of a class that is not known here is refused by its name', () => {
  const config = lookahead(adam()).getConfig();
  const unknown = { ...config, inner: { className: 'Unknown', config: {} } };
  expect(() => Lookahead.fromConfig(Lookahead as never, unknown)).toThrow(
    expect.objectContaining({ code: 'STATE_MISMATCH', details: { className: 'Unknown' } }),
  );
});

test('every default is in the config, and a config makes an equal Lookahead', () => {
  const first = lookahead(adam());
  expect(first.getConfig()).toMatchObject({
    syncPeriod: 5,
    slowStepSize: 0.5,
    innerState: 'maintain',
    slow: 'host:f32',
    nonFinite: 'throw',
  });
  const second = Lookahead.fromConfig(
    Lookahead as never,
    first.getConfig(),
  ) as unknown as Lookahead;
  expect(second.getConfig()).toEqual(first.getConfig());
});

test('α = 0, α = 1, k = 1 and no options are allowed', () => {
  for (const options of [
    { slowStepSize: 0 },
    { slowStepSize: 1 },
    { syncPeriod: 1 },
    {},
    undefined,
  ]) {
    expect(() => lookahead(adam(), options)).not.toThrow();
  }
});

test('what is not an optimizer is refused', () => {
  expect(() => lookahead('adam' as never)).toThrow(/optimizer/i);
});

test('a Lookahead inside a Lookahead is refused, and stays usable', () => {
  const inner = lookahead(adam());
  expect(() => lookahead(inner)).toThrow(TypeError);
  expect(() => lookahead(inner)).toThrow(/inside another one is not supported.*syncPeriod/);
  expect(inner.iterations).toBe(0);
});

describe('what an inner optimizer cannot do is refused when it is given', () => {
  beforeAll(() => tf.setBackend('cpu'));
  const excluded = [{ weights: 'a', exclude: true }];
  const other = [{ weights: 'a', slowStepSize: 1 }];
  const curved = adaptive({ curvature: (weight) => weight });
  test.each<[string, () => tf.Optimizer, LookaheadOptions]>([
    ['a budget for tf.train', () => tf.train.adam(), { vramBudget: '1GiB' }],
    ['reset without state', () => tf.train.adamax(), { innerState: 'reset' }],
    ['interpolation of bytes', () => adam({ moments: 'device:q8' }), { innerState: 'interpolate' }],
    ['restoring without state', () => tf.train.adamax(), { nonFinite: 'restore' }],
    [
      'reset beside excluded weights',
      () => tf.train.adam(),
      { innerState: 'reset', overrides: excluded },
    ],
    ['inline, adaptive', () => adam(), { sync: 'inline', slowStepSize: curved }],
    ['inline, reset of tf.train', () => tf.train.adam(), { sync: 'inline', innerState: 'reset' }],
    [
      'inline, restoring of tf.train',
      () => tf.train.adam(),
      { sync: 'inline', nonFinite: 'restore' },
    ],
    ['adaptive beside bytes', () => adam({ moments: 'device:q8' }), { slowStepSize: adaptive() }],
    ['adaptive without a moment', () => momentum(), { slowStepSize: adaptive() }],
  ])('%s', (_, make, options) => {
    const inner = make();
    expect(() => lookahead(inner, options)).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_INNER',
        details: { optimizer: inner.getClassName() },
      }),
    );
  });

  test.each<[string, () => tf.Optimizer, LookaheadOptions]>([
    ['a budget for ours', () => adam(), { vramBudget: '1GiB' }],
    ['maintained without state', () => tf.train.adamax(), { nonFinite: 'skip' }],
    ['reset of bytes', () => adam({ moments: 'device:q8' }), { innerState: 'reset' }],
    ['interpolation of float32', () => adam(), { innerState: 'interpolate' }],
    ['restoring of tf.train', () => tf.train.adam(), { nonFinite: 'restore' }],
    ['maintained beside excluded weights', () => tf.train.adam(), { overrides: excluded }],
    ['reset beside others', () => tf.train.adam(), { innerState: 'reset', overrides: other }],
    ['reset of ours', () => adam(), { innerState: 'reset', overrides: excluded }],
    ['inline, maintained, of tf.train', () => tf.train.adam(), { sync: 'inline' }],
    ['inline, reset of ours', () => adam(), { sync: 'inline', innerState: 'reset' }],
    ['adaptive with a curvature', () => momentum(), { slowStepSize: curved }],
    [
      'adaptive with a curvature beside bytes',
      () => adam({ moments: 'device:q8' }),
      { slowStepSize: curved },
    ],
    ['adaptive', () => tf.train.adam(), { slowStepSize: adaptive() }],
  ])('not %s', (_, make, options) => {
    expect(() => lookahead(make(), options)).not.toThrow();
  });
});

onEveryEngine(() => {
  test('a Lookahead is a tf.Optimizer, and no other optimizer is a Lookahead', () => {
    expect(lookahead(adam())).toBeInstanceOf(tf.Optimizer);
    expect(lookahead(adam())).toBeInstanceOf(Lookahead);
    expect(adam()).not.toBeInstanceOf(Lookahead);
    expect(null).not.toBeInstanceOf(Lookahead);
    expect(tf.train.sgd(0.1)).not.toBeInstanceOf(Lookahead);
  });

  test('adaptive() needs a second moment or a curvature, and says so', () => {
    expect(() => lookahead(sgd({ learningRate: 0.1 }), { slowStepSize: adaptive() })).toThrow(
      /second moment.*curvature/s,
    );
    expect(() => lookahead(adam(), { slowStepSize: adaptive() })).not.toThrow();
    expect(() => lookahead(tf.train.adam(), { slowStepSize: adaptive() })).not.toThrow();
  });

  test('an inner optimizer whose state cannot be reached is refused where it is needed', () => {
    expect(() => lookahead(tf.train.adamax(0.1), { innerState: 'reset' })).toThrow(/maintain/);
    expect(() => lookahead(tf.train.adamax(0.1), { innerState: 'interpolate' })).toThrow(
      /maintain/,
    );
    expect(() => lookahead(tf.train.adamax(0.1))).not.toThrow();
    const overrides = [{ weights: 'a', exclude: true }];
    const reset = { innerState: 'reset', overrides } as const;
    expect(() => lookahead(tf.train.adam(0.1), reset)).toThrow(/excluded weights.*reset by weight/);
    expect(() => lookahead(adam(), reset)).not.toThrow();
  });
});
