// What an engine gets for one update.

import * as tf from '@tensorflow/tfjs-core';
import { adam, momentum, sgd, type WeightwiseOptimizer } from 'slowlane';
import { expect, test } from 'vitest';

import { registerEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import { roundingAt } from '#src/formula/quantization.js';
import { updateWithTensors } from '#src/formula/tensor-algebra.js';
import type { WeightUpdate } from '#src/formula/weight-update.js';

import { onCleanSlate } from '../state/clean-slate.js';

onCleanSlate();

/** The updates of four micro-batches, each with gradient 1. */
function updatesOf(optimizer: WeightwiseOptimizer): WeightUpdate[] {
  const updates: WeightUpdate[] = [];
  const update = (given: WeightUpdate) => {
    updates.push(given);
    updateWithTensors(given);
  };
  registerEngine(tf.backend(), { device: currentDevice(), update });
  const weight = tf.tidy(() => tf.variable(tf.scalar(1), true, 'w'));
  const one = tf.scalar(1);
  for (let i = 0; i < 4; i++) optimizer.applyGradients([{ name: 'w', tensor: one }]);
  one.dispose();
  optimizer.dispose();
  weight.dispose();
  return updates;
}

test('a whole step names its rule with the constants, and rounds by the number of the step', () => {
  const updates = updatesOf(adam({ beta1: 0.8, learningRate: 0.1 }));
  expect(updates.map(({ rule }) => rule?.name)).toEqual(['adam', 'adam', 'adam', 'adam']);
  expect(updates[0]?.rule?.constants).toMatchObject({ beta1: 0.8, beta2: 0.999 });
  expect(updates.map(({ rounding }) => rounding)).toEqual([1, 2, 3, 4].map(roundingAt));
  expect(updatesOf(sgd())[0]?.rule?.name).toBe('sgd');
});

test('a part of a step, which takes a micro-batch in, is of no rule', () => {
  const updates = updatesOf(momentum({ accumulate: 2 }));
  expect(updates.map(({ rule }) => rule)).toEqual([null, null, null, null]);
  // Both micro-batches of a step round by its number.
  expect(updates.map(({ rounding }) => rounding)).toEqual([1, 1, 2, 2].map(roundingAt));
});
