import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from 'slowlane';
import { expect, test } from 'vitest';

import { checkAllMatch, checkOverrides, overrideOf } from '#src/checks/overrides.js';

await tf.setBackend('cpu');

const named = (name: string) => tf.variable(tf.zeros([1]), true, name);
const weights = ['embedding_1/embeddings', 'dense_1/kernel', 'dense_1/bias'].map(named);

test('the first entry that matches counts', () => {
  const overrides = [
    { weights: /kernel/, a: 1 },
    { weights: 'dense_1', a: 2 },
  ];
  expect(weights.map((weight) => overrideOf(overrides, weight)?.a)).toEqual([undefined, 1, 2]);
});

test('an entry that matches nothing is reported with the nearest names', () => {
  const report = () =>
    checkAllMatch('overrides', [{ weights: 'dense_1' }, { weights: /embeding/ }], weights);
  expect(report).toThrow(SlowlaneError);
  expect(report).toThrow(
    "overrides[1] matches no weight: /embeding/ fits none of 3 names. The nearest are 'embedding_1/embeddings',",
  );
});

test('an entry that an earlier one hides is no mistake', () => {
  expect(() =>
    checkAllMatch('overrides', [{ weights: /./ }, { weights: 'dense_1' }], weights),
  ).not.toThrow();
});

test.each([
  [{}, 'overrides must be an array of { weights, … }, got'],
  [[{ weights: 'a' }], 'overrides[0] sets nothing: give at least one of slow, exclude.'],
  [
    [{ slow: 'x' }],
    "overrides[0].weights must be a weight's name, a RegExp or a function of the weight, got",
  ],
  [[{ weights: 'a', slwo: 1 }], 'overrides[0]'],
])('%j is refused', (value, message) => {
  expect(() => checkOverrides('overrides', value, { slow: String, exclude: String })).toThrow(
    message,
  );
});

test("a name finds the same weight in the second model of a process, where tfjs appends '_1'", () => {
  const second = named('hidden/kernel_1');
  const [other, bare] = [named('hidden/kernel_10/x'), named('w_1')];
  for (const matcher of ['hidden/kernel', 'hidden/kernel_1', 'hidden', /^hidden\/kernel$/]) {
    expect(overrideOf([{ weights: matcher }], second)).toBeDefined();
  }
  expect(overrideOf([{ weights: 'hidden/kernel' }], other)).toBeUndefined();
  expect(overrideOf([{ weights: 'w' }], bare)).toBeUndefined(); // a name that its owner gave
});
