// What the names of tfjs say: which weights are counted together, and in which order.

import { describe, expect, test } from 'vitest';

import { inGroups, weightName } from '#src/optimizers/state/weight-names.js';

describe('the name of a weight', () => {
  test.each([
    // A variable without a name has a number, and counts with all others of that kind.
    ['7', { by: 'none', group: '', base: '7', copy: 0, numbers: [7] }],
    ['7a', { by: 'given', group: '7a', base: '7a', copy: 0, numbers: [0] }],
    ['a7', { by: 'given', group: 'a7', base: 'a7', copy: 0, numbers: [0] }],
    // An ending is the number of a copy, and several digits are one number.
    ['w', { by: 'given', group: 'w', base: 'w', copy: 0, numbers: [0] }],
    ['w_12', { by: 'given', group: 'w', base: 'w', copy: 12, numbers: [12] }],
    ['w_1_2', { by: 'given', group: 'w_1', base: 'w_1', copy: 2, numbers: [2] }],
    ['w_2/b', { by: 'given', group: 'w_2/b', base: 'w_2/b', copy: 0, numbers: [0] }],
    // tfjs counts the layers of each class.
    [
      'dense_Dense2/kernel',
      {
        by: 'layer',
        group: 'dense_Dense/kernel',
        base: 'dense_Dense2/kernel',
        copy: 0,
        numbers: [2, 0],
      },
    ],
    [
      'conv2d_Conv2D12/bias_3',
      {
        by: 'layer',
        group: 'conv2d_Conv2D/bias',
        base: 'conv2d_Conv2D12/bias',
        copy: 3,
        numbers: [12, 3],
      },
    ],
    // A layer inside a layer has two numbers.
    [
      'bidirectional_Bidirectional3/forward_lstm_LSTM14/kernel',
      {
        by: 'layer',
        group: 'bidirectional_Bidirectional/forward_lstm_LSTM/kernel',
        base: 'bidirectional_Bidirectional3/forward_lstm_LSTM14/kernel',
        copy: 0,
        numbers: [3, 14, 0],
      },
    ],
    // Not numbered by tfjs: no class, no number, or no weight of that layer.
    [
      'dense2/kernel',
      { by: 'given', group: 'dense2/kernel', base: 'dense2/kernel', copy: 0, numbers: [0] },
    ],
    [
      'my-dense_Dense2/w',
      { by: 'given', group: 'my-dense_Dense2/w', base: 'my-dense_Dense2/w', copy: 0, numbers: [0] },
    ],
    [
      'dense_Dense/w',
      { by: 'given', group: 'dense_Dense/w', base: 'dense_Dense/w', copy: 0, numbers: [0] },
    ],
    [
      'dense_Dense2',
      { by: 'given', group: 'dense_Dense2', base: 'dense_Dense2', copy: 0, numbers: [0] },
    ],
  ])('%s', (name, expected) => {
    expect(weightName(name)).toEqual(expected);
  });
});

test('groups hold the names that differ in tfjs’s numbers alone, in the order of the numbers', () => {
  const names = [
    '10',
    'w_2',
    'a_A10/k',
    '9',
    'a_A2/k_1',
    'w',
    'a_A9/k',
    'w_10',
    'a_A2/k',
    'a_A2/b',
  ];
  const groups = inGroups(names.map((name) => ({ name })));
  expect([...groups].map(([group, of]) => [group, ...of.map(({ name }) => name)])).toEqual([
    ['', '9', '10'],
    ['w', 'w', 'w_2', 'w_10'],
    ['a_A/k', 'a_A2/k', 'a_A2/k_1', 'a_A9/k', 'a_A10/k'],
    ['a_A/b', 'a_A2/b'],
  ]);
});

test('weights of the same name keep their order', () => {
  const groups = inGroups([
    { name: 'w', at: 1 },
    { name: 'w', at: 2 },
    { name: 'w', at: 3 },
  ]);
  expect(groups.get('w')?.map(({ at }) => at)).toEqual([1, 2, 3]);
});
