// The plan of a Lookahead with a budget by itself: what is planned, for which weights, and what is refused.

import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { adam, schedules } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { registerEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import { AutoPlan, type PlanHints } from '#src/lookahead/auto-plan.js';
import { checkLookaheadOptions, type LookaheadOptions } from '#src/lookahead/options.js';
import { asInner } from '#src/optimizers/foreign.js';
import { onCleanSlate } from '../optimizers/state/clean-slate.js';

onCleanSlate();

const KIB = 1024;
const weightOf = (name: string, size = KIB) =>
  tf.tidy(() => tf.variable(tf.zeros([size]), true, name));
const settingsOf = (options: LookaheadOptions = {}) =>
  checkLookaheadOptions({ vramBudget: '1MiB', ...options });
/** What is planned for `source`, by one policy alone, so that it is quick. */
function planned(
  source: Parameters<AutoPlan['make']>[0],
  options?: LookaheadOptions,
  hints?: PlanHints,
) {
  const inner = adam({ gradients: 'keep', moments: 'device:f32' });
  const auto = new AutoPlan(inner, settingsOf({ slow: 'host:f32', ...options }));
  auto.make(source, hints);
  return auto.plan;
}

describe('what is planned', () => {
  test('once, and the settings get it: the budget is spent', () => {
    const settings = settingsOf({ hostBudget: '1MiB', batchSize: 3, activationBytes: 1 });
    const auto = new AutoPlan(adam(), settings);
    auto.make([weightOf('a')]);
    const { plan } = auto;
    expect(plan?.parameters).toBe(KIB);
    expect(settings).toMatchObject({
      vramBudget: null,
      hostBudget: null,
      batchSize: null,
      activationBytes: null,
      slow: plan?.pick?.policy.slow,
    });
    auto.make([weightOf('b', 2 * KIB)]);
    expect(auto.plan).toBe(plan);
  });

  test('nothing of no weights, and nothing for an optimizer that cannot be told', () => {
    expect(planned([])).toBeNull();
    const inner = asInner(tf.train.sgd(0.1));
    const auto = new AutoPlan(inner, settingsOf());
    auto.make([weightOf('a')]);
    expect(auto.plan).toBeNull();
    inner.dispose();
  });

  test('of a list each weight once; without a list all that can be trained', () => {
    const [a] = [weightOf('a'), weightOf('b', 2 * KIB)];
    expect(planned([a, a])?.parameters).toBe(KIB);
    const whole = tf.tidy(() => tf.variable(tf.zeros([7], 'int32'), true));
    weightOf('frozen').trainable = false;
    expect(planned(undefined)?.parameters).toBe(3 * KIB);
    whole.dispose();
  });

  test('activations are those given; else of a list they are unknown, and of a model read', () => {
    const weights = [weightOf('a')];
    const missing = 'activations are not counted: give activationBytes, or attach(model) first';
    expect(planned(weights)).toMatchObject({ assumptions: [missing], batchSize: 32 });
    const given = planned(weights, { activationBytes: 5 * KIB });
    expect(given?.assumptions).toEqual([]);
    expect(given?.pick?.device.activations).toBe(5 * KIB);
  });

  test('of a model: the batch of the options, or of fit(), or a guess that is said', () => {
    const layers = [
      tfl.layers.dense({ units: 8, inputShape: [4] }),
      tfl.layers.dense({ units: 1 }),
    ];
    const model = tfl.sequential({ layers });
    const guess = 'a batch of 32: give batchSize';
    const assumed = planned(model);
    expect(assumed?.assumptions).toContain(guess);
    expect(assumed?.batchSize).toBe(32);
    const ofFit = planned(model, {}, { batchSize: 16 });
    expect(ofFit?.batchSize).toBe(16);
    expect(ofFit?.assumptions).toEqual(assumed?.assumptions.filter((one) => one !== guess));
    expect(planned(model, { batchSize: 4 }, { batchSize: 16 })?.batchSize).toBe(4);
    const [read, twice] = [16, 32].map(
      (batchSize) => planned(model, { batchSize })?.pick?.device.activations ?? NaN,
    );
    expect(read).toBeGreaterThan(0);
    expect(twice).toBe(2 * (read ?? NaN));
    // Given activations are not read, nor is a batch guessed.
    const given = planned(model, { activationBytes: 5 * KIB });
    expect(given?.pick?.device.activations).toBe(5 * KIB);
    expect(given?.assumptions).toEqual([]);
    // Something with weights is no model.
    const { trainableWeights } = model;
    expect(planned({ trainableWeights })?.pick?.device.activations).toBe(0);
    model.dispose();
  });

  test('overrides: a step size that changes comes as an entry that sets nothing, and counts first', () => {
    const warm = schedules.constant(0.5);
    const overrides = [
      { weights: 'a', slowStepSize: warm },
      { weights: 'b', slowStepSize: 0.25 },
      { weights: /a|b/, slow: 'host:int8' },
    ] as const;
    const plan = planned([weightOf('a'), weightOf('b')], { overrides, slow: 'host:f32' });
    expect(plan?.overrides).toStrictEqual([
      { weights: "'a'", count: 1, exclude: false },
      { weights: "'b'", count: 1, slowStepSize: 0.25 },
      { weights: '/a|b/', count: 2, exclude: false, slow: 'host:int8' },
    ]);
    expect(plan?.pick?.host).toMatchObject({ slow: 2 * 4 * KIB });
  });
});

describe('the budget', () => {
  const onEngine = (budgetBytes: number) =>
    registerEngine(tf.backend(), { device: currentDevice(), budgetBytes });

  test('is what the engine keeps to, if that is less', () => {
    const weights = [weightOf('a')];
    expect(planned(weights)?.vramBudgetBytes).toBe(KIB ** 2);
    onEngine(64 * KIB);
    expect(planned(weights)?.vramBudgetBytes).toBe(64 * KIB);
    expect(planned(weights, { vramBudget: '32KiB' })?.vramBudgetBytes).toBe(32 * KIB);
  });

  test("'auto' is what the engine keeps to, if it keeps to any", () => {
    const weights = [weightOf('a')];
    const auto = () => planned(weights, { vramBudget: 'auto' })?.vramBudgetBytes;
    const refused = expect.objectContaining({
      code: 'UNSUPPORTED',
      details: { backend: 'cpu' },
    });
    expect(auto).toThrow(refused);
    onEngine(Infinity);
    expect(auto).toThrow(refused);
    onEngine(64 * KIB);
    expect(auto()).toBe(64 * KIB);
  });

  test('of a backend that is no engine and no host is refused', async () => {
    tf.registerBackend('webgl', () => new MathBackendCPU());
    await tf.setBackend('webgl');
    const weight = weightOf('a');
    try {
      expect(() => planned([weight])).toThrow(
        expect.objectContaining({ code: 'UNSUPPORTED', details: { backend: 'webgl' } }),
      );
      onEngine(64 * KIB);
      expect(planned([weight])?.vramBudgetBytes).toBe(64 * KIB);
    } finally {
      weight.dispose();
      await tf.setBackend('cpu');
      tf.removeBackend('webgl');
    }
  });

  test('that is not enough: the plan goes with the error, and nothing was decided', () => {
    const settings = settingsOf({ vramBudget: 100 });
    const auto = new AutoPlan(adam(), settings);
    expect(() => auto.make([weightOf('a')])).toThrow(
      expect.objectContaining({
        code: 'OVER_BUDGET',
        details: {
          plan: expect.objectContaining({ parameters: KIB, pick: null }) as object,
          shortfall: expect.objectContaining({}) as object,
        },
      }),
    );
    expect([auto.plan, settings.vramBudget]).toEqual([null, 100]);
  });
});

test('without a weight there is nothing to plan, which is said', () => {
  expect(() => planned(undefined)).toThrow(TypeError);
  expect(() => planned(undefined)).toThrow('there is no weight yet');
});

test('an optimizer that has stepped since is refused', () => {
  const inner = adam();
  const auto = new AutoPlan(inner, settingsOf());
  const weight = weightOf('a');
  inner.adopt([weight]);
  expect(() => auto.make([weight])).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED_INNER', details: { optimizer: 'adam' } }),
  );
  inner.dispose();
});
