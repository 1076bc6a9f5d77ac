// A file and a whole model: which saved entry each weight takes, or that it is not certain.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';

import { matchAll, type SavedEntry, undecided } from '#src/optimizers/state/match-saved.js';

beforeAll(() => tf.setBackend('cpu'));
afterEach(() => tf.disposeVariables());

const entry = (name: string, shape: readonly number[] = [1]): SavedEntry => ({ name, shape });
const make = (names: readonly string[], shape: number[] = [1]) =>
  names.map((name) => tf.tidy(() => tf.variable(tf.zeros(shape), true, name)));

/** The saved names in the order of `weights`. */
function matched(saved: readonly string[], weights: readonly string[], areInOrder: boolean) {
  tf.disposeVariables();
  const found = matchAll(
    saved.map((name) => entry(name)),
    make(weights),
    { areInOrder },
  );
  return found.map(({ name }) => name);
}
const refused = expect.objectContaining({
  code: 'STATE_MISMATCH',
  message: expect.stringMatching(/neither names nor order decide/) as string,
});

describe.each([true, false])('both in the order of the layers: %s', (areInOrder) => {
  test('names that the caller gave decide, whatever the order', () => {
    expect(matched(['a', 'b', 'c/w'], ['c/w', 'a', 'b'], areInOrder)).toEqual(['c/w', 'a', 'b']);
    expect(matched(['w', 'w_1'], ['w_1', 'w'], areInOrder)).toEqual(['w_1', 'w']);
  });

  test('nameless weights: the order of their numbers, 9 before 10', () => {
    expect(matched(['9', '10', '11'], ['7', '99', '100'], areInOrder)).toEqual(['9', '10', '11']);
    // Listed the other way round both times: still the smaller number to the smaller.
    expect(matched(['10', '9'], ['100', '99'], areInOrder)).toEqual(['10', '9']);
  });

  test('nameless weights whose lists contradict the numbers are refused, with equal numbers too', () => {
    expect(() => matched(['9', '10'], ['100', '99'], areInOrder)).toThrow(refused);
    expect(() => matched(['3', '4'], ['4', '3'], areInOrder)).toThrow(refused);
    // Two of three are in order.
    expect(() => matched(['1', '2', '3'], ['11', '13', '12'], areInOrder)).toThrow(refused);
  });

  test('each group by itself: nameless ones between weights with names', () => {
    const saved = ['5', 'w', '6'];
    expect(matched(saved, ['8', '9', 'w'], areInOrder)).toEqual(['5', '6', 'w']);
  });

  test('layers that tfjs has counted on since: the order of their numbers', () => {
    const layer = (n: number) => [`d_D${n}/k`, `d_D${n}/b`];
    expect(matched([1, 2].flatMap(layer), [9, 10].flatMap(layer), areInOrder)).toEqual(
      [1, 2].flatMap(layer),
    );
    expect(() => matched([1, 2].flatMap(layer), [10, 9].flatMap(layer), areInOrder)).toThrow(
      refused,
    );
  });

  test('one name of two is equal, and another order: refused', () => {
    expect(matched(['d_D1/k', 'd_D2/k'], ['d_D1/k', 'd_D3/k'], areInOrder)).toEqual([
      'd_D1/k',
      'd_D2/k',
    ]);
    expect(() => matched(['d_D1/k', 'd_D2/k'], ['d_D3/k', 'd_D1/k'], areInOrder)).toThrow(refused);
    expect(() => matched(['w_1', 'w_2'], ['w_3', 'w_1'], areInOrder)).toThrow(refused);
  });

  test('other weights, more or fewer, or one name twice: refused', () => {
    for (const [saved, weights] of [
      [['a', 'b'], ['a']],
      [['a'], ['a', 'b']],
      [
        ['a', 'b'],
        ['a', 'c'],
      ],
      [
        ['a', 'b'],
        ['a', 'a_1'],
      ],
      [
        ['a', 'a_1', 'b'],
        ['a', 'b', 'b_1'],
      ],
      [
        ['a', 'a'],
        ['a', 'a_1'],
      ],
    ] as const) {
      expect(() => matched(saved, weights, areInOrder)).toThrow(refused);
    }
  });
});

test('equal names of layers in another order: the names decide only if the lists have no order', () => {
  const [saved, weights] = [
    ['d_D1/k', 'd_D2/k'],
    ['d_D2/k', 'd_D1/k'],
  ] as const;
  expect(matched(saved, weights, false)).toEqual(['d_D2/k', 'd_D1/k']);
  // In another process 'd_D1' may be another layer than at saving.
  expect(() => matched(saved, weights, true)).toThrow(refused);
});

test('another shape is refused and says which: other sizes, more or fewer dimensions', () => {
  const fits = (saved: number[], own: number[]) => {
    const [w] = make(['w'], own);
    try {
      return matchAll([entry('w', saved)], [w as tf.Variable], { areInOrder: true });
    } finally {
      w?.dispose();
    }
  };
  expect(fits([2, 3], [2, 3])).toEqual([entry('w', [2, 3])]);
  expect(fits([], [])).toEqual([entry('w', [])]);
  for (const [saved, own] of [
    [
      [2, 3],
      [2, 4],
    ],
    [
      [3, 3],
      [2, 3],
    ],
    [[2], [2, 1]],
    [[2, 1], [2]],
  ] as const) {
    const shown = `'w' of shape [${saved.join(', ')}] for the weight 'w' of shape [${own.join(', ')}]`;
    expect(() => fits([...saved], [...own])).toThrow(
      expect.objectContaining({
        code: 'STATE_MISMATCH',
        message: expect.stringContaining(shown) as string,
        details: { weight: 'w', weightShape: own, saved: 'w', savedShape: saved },
      }),
    );
  }
});

describe('the error', () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `w${i}`);

  test('lists the first four of both, and says what to do', () => {
    expect(() => matched(names(5), ['x'], true)).toThrow(
      expect.objectContaining({
        message:
          "The saved model has 5 weights ('w0' [1], 'w1' [1], 'w2' [1], 'w3' [1], …), this one has 1 ('x' [1]), and " +
          'neither names nor order decide which belong together. Load it into a model with the same weights.',
        details: { saved: names(5), weights: ['x'] },
      }),
    );
    expect(() => matched(names(4), ['x1', 'x2', 'x3', 'x4'], true)).toThrow(
      /'w3' \[1\]\), this one .* Load it into the model that it was saved with\. If it is that model, give/,
    );
  });

  test('cuts long names, and gives all of them in its details', () => {
    const name = 'n'.repeat(81);
    const error = undecided([entry(name, [2, 3])], [entry('x')]);
    expect(error.message).toContain(
      `1 weights ('${name.slice(1)}' [2, 3]), 1 are to be trained ('x' [1])`,
    );
    expect(error.details).toEqual({ saved: [name], weights: ['x'] });
  });
});
