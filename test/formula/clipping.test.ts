import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';

import {
  checkClipping,
  clipFor,
  clipGradient,
  type Clipping,
  disposeClip,
} from '#src/formula/clipping.js';

import { onEveryEngine, valuesOf } from '../engines.js';

test('the options: one limit above 0, or none', () => {
  expect(checkClipping(undefined, undefined)).toEqual({ by: 'nothing' });
  expect(checkClipping(0.5, undefined)).toEqual({ by: 'value', limit: 0.5 });
  expect(checkClipping(undefined, 2)).toEqual({ by: 'norm', limit: 2 });
  expect(() => checkClipping(0.5, 2)).toThrow(
    new TypeError('Give clipValue or clipNorm, not both: got clipValue 0.5 and clipNorm 2.'),
  );
  for (const limit of [0, -1, NaN, Infinity]) {
    expect(() => checkClipping(limit, undefined)).toThrow(/^clipValue must be a finite number > 0/);
    expect(() => checkClipping(undefined, limit)).toThrow(/^clipNorm must be a finite number > 0/);
  }
});

onEveryEngine(() => {
  /** The gradients of one step as they are after clipping; null where a step does not clip. */
  function clipped(clipping: Clipping, given: readonly number[][]): (number[] | null)[] {
    const before = tf.memory().numTensors;
    const gradients = given.map((values) => tf.tensor1d(values));
    const clip = clipFor(clipping, gradients);
    const results = gradients.map((gradient) => clipGradient(gradient, clip));
    const values = results.map((result) => result && valuesOf(result));
    expect(gradients.map(valuesOf)).toEqual(given);
    tf.dispose([...gradients, ...results.filter((result) => result !== null)]);
    disposeClip(clip);
    expect(tf.memory().numTensors).toBe(before);
    return values;
  }

  test('by value: each element to −1…1', () => {
    expect(clipped({ by: 'value', limit: 1 }, [[-3, -1, 0.5], [4]])).toEqual([[-1, -1, 0.5], [1]]);
  });

  test('by norm: √(1² + 2² + 2²) = 3 becomes 1.5, so all are halved', () => {
    expect(clipped({ by: 'norm', limit: 1.5 }, [[1, -2], [2]])).toEqual([[0.5, -1], [1]]);
  });

  test('a norm within the limit changes no bit', () => {
    for (const limit of [3, 4]) {
      expect(clipped({ by: 'norm', limit }, [[1, -2], [2]])).toEqual([[1, -2], [2]]);
    }
    expect(clipped({ by: 'norm', limit: 3 }, [[0, 0]])).toEqual([[0, 0]]);
  });

  test('without an option there is no new gradient', () => {
    expect(clipped({ by: 'nothing' }, [[1, -2]])).toEqual([null]);
  });
});
