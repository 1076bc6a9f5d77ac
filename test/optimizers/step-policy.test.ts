// What the caller left open, a planner may decide: what it is told, and what the optimizer makes of its choice.

import * as tf from '@tensorflow/tfjs-core';
import { adagrad, adam, adamw, lion, momentum, rmsprop, sgd } from 'slowlane';
import { expect, test, vi } from 'vitest';

import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import '../engines.js';
import { onCleanSlate } from './state/clean-slate.js';

onCleanSlate();

const SIZE = 4096;
const weightOf = (size = SIZE) => tf.tidy(() => tf.variable(tf.zeros([size])));
const plannable = (optimizer: WeightwiseOptimizer) => optimizer.plannable();

test('what was given is fixed, and a norm keeps all gradients; the rest is open', () => {
  expect(plannable(adam()).fixed).toEqual({});
  expect(plannable(adam({ clipValue: 1 })).fixed).toEqual({});
  expect(plannable(adam({ clipNorm: 1 })).fixed).toEqual({ gradients: 'keep' });
  const given = { gradients: 'release', moments: 'device:q8' } as const;
  expect(plannable(adam(given)).fixed).toEqual(given);
});

test.each<[string, WeightwiseOptimizer, number, boolean]>([
  ['sgd', sgd(), 0, false],
  ['momentum', momentum(), 1, true],
  ['momentum', momentum({ nesterov: true }), 1, false],
  ['adagrad', adagrad(), 1, false],
  ['rmsprop', rmsprop(), 1, false],
  ['lion', lion(), 1, false],
  ['adam', adam(), 2, true],
  ['adamw', adamw(), 2, true],
  ['adam', adam({ clipValue: 1 }), 2, false],
  ['adam', adam({ clipNorm: 1 }), 2, false],
])('%s: its state, and whether that takes the gradients of micro-batches', (...given) => {
  const [name, optimizer, slots, takesGradients] = given;
  expect(plannable(optimizer)).toMatchObject({ name, slots, takesGradients, accumulate: 1 });
});

test.each<[string, () => WeightwiseOptimizer, string[]]>([
  ['sgd', () => sgd(), []],
  ['momentum', () => momentum(), ['m']],
  ['rmsprop', () => rmsprop(), ['rms']],
  ['rmsprop with momentum', () => rmsprop({ momentum: 0.9 }), ['rms', 'momentum']],
  ['rmsprop, centered', () => rmsprop({ centered: true }), ['rms', 'mg']],
  ['adam', () => adam(), ['m', 'v']],
])('%s keeps this state of a weight', (_, make, names) => {
  const optimizer = make();
  optimizer.adopt([weightOf(1)]);
  expect(optimizer.state().flatMap(({ slots }) => slots)).toEqual(names);
});

// Signed bytes round a 10⁻⁸ of the largest element to 0.
test.each<[string, (options: { moments: 'device:q8' }) => WeightwiseOptimizer, string]>([
  ['adam', adam, 'v'],
  ['rmsprop', rmsprop, 'rms'],
  ['adagrad', (o) => adagrad({ ...o, initialAccumulatorValue: 0 }), 'accumulator'],
])('%s: squares are quantized without a sign, and none becomes 0', async (_, make, slot) => {
  const weight = weightOf();
  const optimizer = make({ moments: 'device:q8' });
  const gradient = tf.tensor1d(Array.from({ length: SIZE }, (_g, i) => (i % 256 === 0 ? 1 : 1e-4)));
  optimizer.applyGradients({ [weight.name]: gradient });
  const saved = await optimizer.getWeights();
  const squares = saved.find(({ name }) => name.endsWith(`/${slot}`))?.tensor as tf.Tensor;
  expect(Math.min(...(await squares.data()))).toBeGreaterThan(0);
  optimizer.dispose();
  gradient.dispose();
});

test('a choice holds for the next state, and is saved with the options', () => {
  const optimizer = momentum({ gradients: 'release' });
  const weight = weightOf();
  optimizer.plannable().expectChoice();
  expect(optimizer.getConfig()).toMatchObject({ gradients: 'release' });
  optimizer.plannable().choose({ gradients: 'release', moments: 'device:q8' });
  expect(optimizer.getConfig()).toMatchObject({ gradients: 'release', moments: 'device:q8' });
  expect(plannable(optimizer).isOpen).toBe(true);
  optimizer.adopt([weight]);
  expect(plannable(optimizer).isOpen).toBe(false);
  expect(optimizer.momentsOf(weight)).toBe('device:q8');
  optimizer.dispose();
});

test('float32 on the device is the default, and is saved only where it was given and a choice awaited', () => {
  const optimizer = momentum({ moments: 'device:f32' });
  expect(optimizer.getConfig()).not.toHaveProperty('moments');
  optimizer.plannable().expectChoice();
  expect(optimizer.getConfig()).toMatchObject({ moments: 'device:f32' });
  optimizer.plannable().choose({ gradients: 'keep', moments: 'device:f32' });
  expect(optimizer.getConfig()).not.toHaveProperty('moments');
});

test('while a choice is awaited, restored state waits where each choice can take it: on the host', async () => {
  const weight = weightOf();
  const first = momentum();
  first.applyGradients({ [weight.name]: weight });
  const saved = await first.getWeights();
  const optimizer = momentum();
  const reading = vi.spyOn(tf.backend(), 'read');
  optimizer.plannable().expectChoice();
  await optimizer.setWeights(saved);
  expect(reading).toHaveBeenCalledTimes(2); // counters and moments
  optimizer.plannable().choose({ gradients: 'keep', moments: 'device:f32' });
  await optimizer.setWeights(saved);
  expect(reading).toHaveBeenCalledTimes(3); // counters alone
  optimizer.dispose();
  first.dispose();
});

test('an override of no state is no hidden state', () => {
  expect(sgd({ moments: 'host:f32' }).hidesState).toBe(false);
  expect([momentum({ moments: 'host:f32' }), momentum()].map((each) => each.hidesState)).toEqual([
    true,
    false,
  ]);
});
