import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { schedules, sgd } from '#src/optimizers/index.js';
import { scheduleConfig, scheduleFrom } from '#src/optimizers/schedules.js';
import { valuesOf } from '../engines.js';

beforeAll(() => tf.setBackend('cpu'));

test('constant never changes', () => {
  const schedule = schedules.constant(0.3);
  expect([0, 1, 1e6].map(schedule.at)).toEqual([0.3, 0.3, 0.3]);
});

test('cosine goes from initial over the middle to final and stays there', () => {
  const schedule = schedules.cosine({ initial: 1, decaySteps: 4, final: 0.5 });
  // ½ + ½·(1 + cos(πi/4))/2
  const quarter = 0.5 + (1 + Math.SQRT1_2) / 4;
  expect(schedule.at(0)).toBe(1);
  expect(schedule.at(1)).toBeCloseTo(quarter, 12);
  expect(schedule.at(2)).toBeCloseTo(0.75, 12);
  expect(schedule.at(4)).toBe(0.5);
  expect(schedule.at(400)).toBe(0.5);
  expect(schedules.cosine({ initial: 1, decaySteps: 4 }).at(4)).toBe(0);
});

test('step halves after every 3 iterations', () => {
  const schedule = schedules.step({ initial: 8, every: 3, factor: 0.5 });
  expect([0, 1, 2, 3, 5, 6, 9].map(schedule.at)).toEqual([8, 8, 8, 4, 4, 2, 1]);
});

test('warmup climbs in a line to the first value of what follows, which then begins at its own 0', () => {
  const then = schedules.step({ initial: 8, every: 2, factor: 0.5 });
  expect([0, 1, 2, 3, 4, 5, 6, 8].map(schedules.warmup({ steps: 4, then }).at)).toEqual([
    0, 2, 4, 6, 8, 8, 4, 2,
  ]);
  expect([0, 1, 2].map(schedules.warmup({ steps: 2, from: 4, then: 8 }).at)).toEqual([4, 6, 8]);
  // Not 0.1 + 3 · (0.5 − 0.1) / 3, which is 0.5000000000000001.
  expect(schedules.warmup({ steps: 3, from: 0.1, then: 0.5 }).at(3)).toBe(0.5);
});

test('a schedule survives JSON', () => {
  const cosine = schedules.cosine({ initial: 1, decaySteps: 10 });
  const schedule = schedules.warmup({
    steps: 4,
    then: schedules.warmup({ steps: 2, then: cosine }),
  });
  const loaded = scheduleFrom(JSON.parse(JSON.stringify(schedule)));
  const plain = scheduleFrom(JSON.parse(JSON.stringify(scheduleConfig(schedule))));
  for (let i = 0; i < 20; i++) {
    expect(loaded.at(i)).toBe(schedule.at(i));
    expect(plain.at(i)).toBe(schedule.at(i));
  }
  const constant = JSON.parse(JSON.stringify(schedules.constant(0.3))) as object;
  expect(scheduleFrom(constant).at(7)).toBe(0.3);
  expect(() => scheduleFrom({ ...constant, final: 1 })).toThrow(
    "schedules.constant has no option 'final'. Its options: value.",
  );
});

test.each([
  [
    () => schedules.cosine({ initial: 1, decaySteps: 0 }),
    'decaySteps must be a whole number ≥ 1, got 0.',
  ],
  [
    () => schedules.step({ initial: 1, every: 1.5, factor: 1 }),
    'every must be a whole number ≥ 1, got 1.5.',
  ],
  [
    () => schedules.step({ initial: 1, every: 1, factor: -1 }),
    'factor must be a finite number ≥ 0, got -1.',
  ],
  [() => schedules.constant(NaN), 'value must be a finite number, got NaN.'],
  [
    () => schedules.warmup({ steps: 2, then: 'x' as never }),
    'then must be a number or a schedule (schedules.constant, schedules.cosine, schedules.step, schedules.warmup), got "x" (string).',
  ],
  [
    () => schedules.cosine({ initial: 1, decaySteps: 2, end: 3 } as never),
    "schedules.cosine has no option 'end'. Its options: initial, decaySteps, final.",
  ],
  [
    () => scheduleFrom({ kind: 'cosin', initial: 1 }),
    "schedule.kind must be 'constant', 'cosine', 'step' or 'warmup', got \"cosin\" (string). Did you mean 'cosine'?",
  ],
])('a wrong schedule says so: %#', (make, message) => {
  expect(make).toThrow(message);
});

test('the rate follows the optimizer’s iterations, and a number set later replaces it', () => {
  const x = tf.variable(tf.scalar(0));
  const optimizer = sgd({ learningRate: schedules.step({ initial: 4, every: 2, factor: 0.5 }) });
  const gradient = tf.scalar(-1);
  const positions: (number | undefined)[] = [];
  for (let step = 0; step < 4; step++) {
    optimizer.applyGradients({ [x.name]: gradient });
    positions.push(valuesOf(x)[0]);
  }
  expect(positions).toEqual([4, 8, 10, 12]); // 4 4 2 2
  expect(optimizer.learningRate).toBe(1);
  optimizer.learningRate = 5;
  optimizer.applyGradients({ [x.name]: gradient });
  expect(valuesOf(x)).toEqual([17]);
  expect(() => (optimizer.learningRate = -1)).toThrow(
    'learningRate must be a finite number ≥ 0 or a schedule, got -1.',
  );
});

test.each([
  ['NaN', NaN, 'NaN'],
  ['a negative rate', -0.5, '-0.5'],
  ['infinity', Infinity, 'Infinity'],
  ['a string', '1', '"1" (string)'],
])('a function that gives %s stops the step before anything changes', (_, rate, shown) => {
  const x = tf.variable(tf.scalar(1));
  const optimizer = sgd({ learningRate: (i) => (i < 1 ? 1 : (rate as number)) });
  const gradient = tf.scalar(1);
  optimizer.applyGradients({ [x.name]: gradient });
  const message = `The learningRate schedule must give a finite number ≥ 0, gave ${shown} at iteration 1.`;
  expect(() => optimizer.applyGradients({ [x.name]: gradient })).toThrow(message);
  expect(() => optimizer.minimize(() => tf.sum(x), false, [x])).toThrow(message);
  expect(valuesOf(x)).toEqual([0]);
  expect(optimizer.iterations).toBe(1);
});

test('a function cannot be saved, and the error says what can', () => {
  const optimizer = sgd({ learningRate: (i) => 1 / (i + 1) });
  expect(() => optimizer.getConfig()).toThrow(/learningRate is a function.*schedules\.cosine/);
  optimizer.learningRate = 0.5;
  expect(optimizer.getConfig()).toEqual({ learningRate: 0.5 });
});
