// A plan in which some weights have policies of their own. Weights of 512 × 512: 1 MiB in float32, half of it in
// fp16, 1,024 blocks of 260 bytes in 8 bits.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { describePlan, plan, type PlanOptions, type PlanOverride, SlowlaneError } from 'slowlane';
import { expect, test } from 'vitest';

const MIB = 2 ** 20;
const Q8 = 1024 * 260;
const square = (name: string) => ({ name, shape: [512, 512] });
const WEIGHTS = [square('embedding/table'), square('dense/kernel'), square('head/kernel')];

function planned(overrides: readonly PlanOverride[], options: Partial<PlanOptions> = {}) {
  const [one] = plan({
    weights: WEIGHTS,
    vramBudget: '1GiB',
    gradients: 'release',
    moments: 'device:f32',
    slow: 'host:f32',
    overrides,
    ...options,
  }).policies;
  if (one === undefined) throw new Error('No policy.');
  return one;
}

test('slow: one of three in fp16 takes half a MiB up and down, the others 1 MiB each', () => {
  const { host, bus } = planned([{ weights: 'embedding', slow: 'host:f16' }]);
  expect(host.slow).toBe(2.5 * MIB);
  expect(bus.bytesPerSync).toBe(2 * 2.5 * MIB);
});

test('slow: one of three on the device takes 1 MiB there, and five tensors for its blend', () => {
  const { device, host } = planned([{ weights: /^embedding/, slow: 'device:f32' }]);
  expect(device.weights).toBe((3 + 1) * MIB);
  expect(host.slow).toBe(2 * MIB);
  expect(device.staging).toBe((5 - 1) * MIB); // the freed gradient is one of the five
});

test('exclude: no slow values, but a gradient and moments', () => {
  const { device, host } = planned([{ weights: 'embedding', exclude: true }]);
  expect(host.slow).toBe(2 * MIB);
  expect(device).toMatchObject({ weights: 3 * MIB, gradients: MIB, moments: 2 * 3 * MIB });
});

test('moments: one of three quantized on the host, on the device only while it is updated', () => {
  const { device, host, bus } = planned([{ weights: 'head', moments: 'host:q8' }]);
  expect(device.moments).toBe(2 * 2 * MIB + 2 * Q8);
  expect(host.moments).toBe(2 * 2 * Q8);
  expect(bus.bytesPerStep).toBe(2 * 2 * Q8);
});

test('the bytes of a mixed policy are the sum of its parts', () => {
  const mixed = planned([
    { weights: 'embedding', moments: 'device:q8', slow: 'host:f16' },
    { weights: 'head', exclude: true },
  ]);
  const alone = (i: number, policy: Partial<PlanOptions> = {}) =>
    planned([], { weights: WEIGHTS.slice(i, i + 1), ...policy });
  const parts = [alone(0, { moments: 'device:q8', slow: 'host:f16' }), alone(1), alone(2)];
  const sum = (pick: (one: (typeof parts)[number]) => number, of = parts) =>
    of.reduce((total, one) => total + pick(one), 0);
  expect(mixed.device.weights).toBe(sum(({ device }) => device.weights));
  expect(mixed.device.moments).toBe(sum(({ device }) => device.moments));
  expect(mixed.host.slow).toBe(sum(({ host }) => host.slow, parts.slice(0, 2)));
  expect(mixed.device.gradients).toBe(MIB); // released: one at a time
});

test('the first entry that sets moments counts, and the first that sets anything else', () => {
  const { device, host } = planned([
    { weights: 'embedding', moments: 'device:q8' },
    { weights: /./, slow: 'host:f16', moments: 'device:f32' },
    { weights: 'embedding', exclude: true },
  ]);
  expect(device.moments).toBe(2 * Q8 + 2 * 2 * MIB);
  expect(host.slow).toBe(1.5 * MIB);
});

test('the plan chooses for the other weights, and says the call and what it overrides', () => {
  // 3 + 1 gradient + moments 3 × 2 + staging 1 are 11 MiB; with the embedding’s in 8 bits 9.5.
  const made = plan({
    weights: WEIGHTS,
    vramBudget: '10MiB',
    overrides: [{ weights: 'embedding', moments: 'device:q8', slow: 'host:int8' }],
  });
  expect(made.pick?.policy).toEqual({
    gradients: 'release',
    moments: 'device:f32',
    slow: 'host:f16',
  });
  expect(made.overrides).toEqual([
    { weights: "'embedding'", count: 1, moments: 'device:q8', slow: 'host:int8' },
  ]);
  expect(describePlan(made)).toContain(
    "lookahead(adam({ gradients: 'release', overrides: [{ weights: 'embedding', moments: 'device:q8' }] }), " +
      "{ slow: 'host:f16', overrides: [{ weights: 'embedding', slow: 'host:int8' }] })",
  );
  expect(describePlan(made)).toContain("override 'embedding' (1 weight): slow: 'host:int8', ");
});

test('an entry that matches no weight is an error that names the nearest', () => {
  const misspelt = () => planned([{ weights: /^embeding/, slow: 'host:f16' }]);
  expect(misspelt).toThrow(SlowlaneError);
  expect(misspelt).toThrow("The nearest are 'embedding/table',");
  try {
    misspelt();
  } catch (error) {
    expect(error).toMatchObject({ code: 'UNMATCHED_OVERRIDE' });
  }
});

test('a model has names, and variables for functions; weights that are not trained do not count', async () => {
  await tf.setBackend('cpu');
  const frozen = tfl.layers.embedding({ inputDim: 8, outputDim: 4, inputLength: 2, name: 'words' });
  const model = tfl.sequential({ layers: [frozen, tfl.layers.flatten()] });
  model.add(tfl.layers.dense({ units: 512, useBias: false, name: 'out' }));
  const request = { model, vramBudget: '1GiB', slow: 'host:f32' } as const;
  const isWide = ({ shape }: tf.Variable) => shape[1] === 512; // 8 × 512
  const [one] = plan({ ...request, overrides: [{ weights: isWide, slow: 'host:f16' }] }).policies;
  expect(one?.host.slow).toBe(256 + 2 * 8 * 512); // 128 bytes of the embedding, aligned
  frozen.trainable = false;
  const unmatched = () => plan({ ...request, overrides: [{ weights: 'words', exclude: true }] });
  expect(unmatched).toThrow("matches no weight: 'words' fits none of 1 names");
  tf.disposeVariables();
});

test.each([
  ['3M', [{ weights: /./, exclude: true }], 'these weights have none. Give a model, or weights: ['],
  [[512], [{ weights: /./, exclude: true }], 'these weights have none.'],
  [WEIGHTS, [{ weights: () => true, exclude: true }], 'weights have only names. Give a model,'],
  [WEIGHTS, [{ weights: /./, slow: 'host:f15' }], 'overrides[0].slow must be'],
  [WEIGHTS, [{ weights: /./, moments: 'f32' }], 'overrides[0].moments must be'],
  [WEIGHTS, [{ weights: /./, slowStepSize: 2 }], 'overrides[0].slowStepSize must be'],
  [
    WEIGHTS,
    [{ weights: /./, slow: 'host:f16', exclude: true }],
    'excludes its weights from Lookahead and sets slow',
  ],
] as const)('weights %j with overrides %j are refused', (weights, overrides, message) => {
  const wrong = { weights, overrides, vramBudget: '1GiB' } as unknown as PlanOptions;
  expect(() => plan(wrong)).toThrow(message);
});
