// The state of a Lookahead as named tensors: counters, one row (serial, kept in float32) for each slow tensor, then
// slow weights, other weights, and the inner optimizer's state.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';

import { type SavedLookahead, TakenTensors, toTensors } from '#src/snapshot/lookahead-state.js';
import { hostTensor } from '#src/tfjs/host-tensor.js';
import type { NamedTensor } from '#src/tfjs/named-tensor.js';

const floats = (...values: number[]) => Float32Array.from(values);
const ints = (name: string, ...values: number[]) => ({
  name,
  tensor: hostTensor(Int32Array.from(values), [values.length]),
});
const rows = (...values: number[]) => ({
  name: 'lookahead/rounding',
  tensor: hostTensor(Int32Array.from(values), [values.length / 2, 2]),
});
const float = (name: string, ...values: number[]) => ({
  name,
  tensor: hostTensor(floats(...values), [values.length]),
});

async function read(tensors: readonly NamedTensor[]): Promise<SavedLookahead> {
  const taken = new TakenTensors(tensors);
  try {
    return await taken.read();
  } finally {
    taken.dispose();
  }
}

const saved: SavedLookahead = {
  counters: [7, 1, 5],
  innerSteps: 9,
  slow: [
    { name: 'w', slot: null, shape: [2], values: floats(1, 2), serial: 3, isKeptInF32: true },
    { name: 'w', slot: 0, shape: [2], values: floats(3, 4), serial: 0, isKeptInF32: false },
    { name: 'w', slot: 1, shape: [2], values: floats(5, 6), serial: 0, isKeptInF32: false },
    {
      name: 'a\nb/c',
      slot: null,
      shape: [1, 1],
      values: floats(7),
      serial: 2 ** 30,
      isKeptInF32: false,
    },
  ],
  others: [{ name: 'frozen', shape: [4] }],
  inner: [float('inner/m', 8)],
};

test('what is saved is read again', async () => {
  const { numTensors } = tf.memory();
  const tensors = toTensors(saved);
  expect(tensors.map(({ name }) => name).filter((name) => !name.includes('other'))).toEqual([
    'lookahead/counters',
    'lookahead/rounding',
    'slow/w',
    'slow0/w',
    'slow1/w',
    'slow/a\nb/c',
    'inner/inner/m',
  ]);
  expect(tensors[1]?.tensor.shape).toEqual([4, 2]);
  const { inner, ...rest } = await read(tensors);
  const { inner: expected, ...others } = saved;
  expect(rest).toEqual(others);
  expect(inner.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
  expect(tf.memory().numTensors).toBe(numTensors);
});

test('the tensors may be disposed while they are read', async () => {
  const tensor = tf.tensor1d([1, 2]);
  const { numTensors } = tf.memory();
  const taken = new TakenTensors([
    ints('lookahead/counters', 2, 0),
    rows(0, 0),
    { name: 'slow/w', tensor },
  ]);
  tensor.dispose();
  expect((await taken.read()).slow[0]?.values).toEqual(floats(1, 2));
  taken.dispose();
  expect(tf.memory().numTensors).toBe(numTensors - 1);
});

const head = ints('lookahead/counters', 2, 0);
const long = 'n'.repeat(100);
const other = (...names: string[]) =>
  toTensors({
    ...saved,
    slow: [],
    inner: [],
    others: names.map((name) => ({ name, shape: [2] })),
  }).slice(2);

test.each<[string, NamedTensor[], RegExp | string]>([
  ['nothing', [], "must begin with 'lookahead/counters' and 'lookahead/rounding', got 'nothing'"],
  ['another first', [float(long, 1)], /, got 'n{80}'\. Was it saved by another optimizer/],
  [
    'counters that are no integers',
    [float('lookahead/counters', 2, 0)],
    "got 'lookahead/counters'",
  ],
  ['no rows', [head, float('slow/w', 1)], "got 'slow/w'"],
  [
    'an older version',
    [ints('lookahead/counters', 1, 0), rows()],
    'has version 1, this is version 2',
  ],
  ['no version', [ints('lookahead/counters'), rows()], 'has version undefined'],
  ['an unknown entry', [head, rows(0, 0), float(`fast/${long}`, 1)], /kind, 'fast\/n{75}'/],
  ['a slot of two digits', [head, rows(0, 0), float('slow12/w', 1)], "kind, 'slow12/w'"],
  ['a name before', [head, rows(0, 0), float('/slow/w', 1)], "kind, '/slow/w'"],
  ['integers', [head, rows(0, 0), ints(`slow/${long}`, 1)], /has 'slow\/n{75}' as int32, not/],
  ['a serial below 0', [head, rows(-1, 0), float('slow/w', 1)], 'rounded by [-1, 0]'],
  ['a serial too large', [head, rows(2 ** 30 + 1, 0), float('slow/w', 1)], 'by [1073741825, 0]'],
  ['a flag that is none', [head, rows(0, 2), float('slow/w', 1)], 'rounded by [0, 2]'],
  ['no row for the second', [head, rows(0, 0), float('slow/a', 1), float('slow/b', 1)], '[-1, -1]'],
  ['a row too many', [head, rows(0, 0, 1, 0), float('slow/w', 1)], 'that are incomplete'],
  ['NaN', [head, rows(0, 0), float(`slow/${long}`, NaN)], /values of 'n{80}'/],
  ['an infinity behind', [head, rows(0, 0), float('slow/w', 1, -Infinity)], "'w'"],
  ['a weight twice', [head, rows(0, 0, 1, 0), float('slow/w', 1), float('slow/w', 1)], "'w' twice"],
  ['serial 0 twice', [head, rows(0, 0, 0, 0), float('slow/a', 1), float('slow/b', 1)], "'b' twice"],
  ['a serial twice', [head, rows(5, 0, 5, 0), float('slow/a', 1), float('slow/b', 1)], "'b' twice"],
  ['a slot without its weight', [head, rows(0, 0), float('slow0/w', 1)], 'or without its weight'],
  [
    'a slot twice',
    [head, rows(0, 0, 0, 0, 0, 0), float('slow/w', 1), float('slow0/w', 1), float('slow0/w', 1)],
    "'w' twice",
  ],
  [
    'a slot of another shape',
    [head, rows(0, 0, 0, 0), float(`slow/${long}`, 1), float(`slow0/${long}`, 1, 2)],
    /has 'n{80}' twice/,
  ],
  [
    'a weight that is another too',
    [head, rows(0, 0), float('slow/w', 1), ...other('w')],
    "'w' twice",
  ],
  ['another weight twice', [head, rows(), ...other('w', 'w')], "'w' twice"],
  [
    'damaged others',
    [head, rows(), ...other('w').map(({ name }) => ints(name, 1, 2))],
    'has a damaged list of other weights',
  ],
])('refused: %s', async (_, tensors, message) => {
  await expect(read(tensors)).rejects.toThrow(message);
  await expect(read(tensors)).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
});

test('two other weights, and the serials of slots, may be alike', async () => {
  const { slow, others } = await read([
    head,
    rows(1, 0, 1, 1, 2, 0, 2, 0, 2, 0),
    float('slow/w', 1),
    float('slow0/w', 1),
    float('slow1/w', 1),
    float('slow2/w', 1),
    float('slow/z', 1),
    ...other('x', 'y'),
  ]);
  expect(slow.map(({ slot, isKeptInF32 }) => [slot, isKeptInF32])).toEqual([
    [null, false],
    [0, true],
    [1, false],
    [2, false],
    [null, false],
  ]);
  expect(others.map(({ name }) => name)).toEqual(['x', 'y']);
});

test('counters without the inner steps are read as −1, which no optimizer takes', async () => {
  expect((await read([ints('lookahead/counters', 2), rows()])).innerSteps).toBe(-1);
});
