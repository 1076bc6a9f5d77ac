// The saved form of an optimizer's state: what is written is read, and anything else is refused and leaves nothing.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { SavedEntry } from '#src/optimizers/state/match-saved.js';
import { loadState, saveOthers, saveState, takeOthers } from '#src/optimizers/state/saved-state.js';
import type { NamedTensor } from '#src/tfjs/named-tensor.js';
import { valuesOf } from '../../engines.js';

beforeAll(() => tf.setBackend('cpu'));
let before = 0;
beforeEach(() => {
  tf.disposeVariables();
  before = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(before));

const float = (name: string, values: number[], shape = [values.length]): NamedTensor => ({
  name,
  tensor: tf.tensor(values, shape),
});
const ints = (name: string, values: number[], shape = [values.length]): NamedTensor => ({
  name,
  tensor: tf.tensor(values, shape, 'int32'),
});
const free = (entries: readonly NamedTensor[]) => tf.dispose(entries.map(({ tensor }) => tensor));
const text = (json: string) =>
  ints(
    'others',
    Array.from(json, (_, i) => json.charCodeAt(i)),
  );

describe('the weights without state', () => {
  test('any names and shapes come back', async () => {
    const entry = fc.record({
      name: fc.string(),
      shape: fc.array(fc.nat(), { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 5 }), async (others) => {
        expect(await takeOthers(saveOthers(others))).toEqual({ others, rest: [] });
      }),
      { numRuns: 50 },
    );
  });

  test('long lists too: 100,000 characters, of which some take two units', async () => {
    const others = [{ name: '😀x'.repeat(33_333), shape: [7] }];
    expect(await takeOthers(saveOthers(others))).toEqual({ others, rest: [] });
  });

  test('a shape with a 0', async () => {
    const others = [{ name: '', shape: [0, 2] }];
    expect(await takeOthers(saveOthers(others))).toEqual({ others, rest: [] });
  });

  test('none take no tensor', () => expect(saveOthers([])).toEqual([]));

  test('the rest keeps its order, and a float tensor or another name is of the rest', async () => {
    const rest = [float('a/m', [1]), float('others', [1]), ints('b/m', [1])];
    const [list] = saveOthers([{ name: 'w', shape: [] }]) as [NamedTensor];
    const others = [{ name: 'w', shape: [] }];
    expect(await takeOthers([rest[0], list, rest[1], rest[2]] as NamedTensor[])).toEqual({
      others,
      rest,
    });
    expect(await takeOthers(rest)).toEqual({ others: [], rest });
    free(rest);
  });

  test.each([
    '',
    '{',
    'null',
    '{"length":0}',
    '"w"',
    '["w"]',
    '[{"0":"w"}]',
    '[[1]]',
    '[[]]',
    '[["w",-1]]',
    '[["w",0.5]]',
    '[["w","1"]]',
    '[["w",1,null]]',
    '[["w",1],["x",[2]]]',
  ])('damaged: %s', async (json) => {
    const list = text(json);
    expect(await takeOthers([list])).toBeNull();
    free([list]);
  });

  test('two lists are damaged, equal ones too', async () => {
    const lists = [text('[["w",1]]'), text('[["w",1]]')];
    expect(await takeOthers(lists)).toBeNull();
    free(lists);
  });
});

test('saved: iterations, count and step counts; then the tensors as they are; then the others', () => {
  const tensors = [float('a/m', [1]), float('b/m', [2])];
  const state = { steps: [7, 9], tensors, others: [] as SavedEntry[] };
  const [head, ...rest] = saveState('momentum', 12, state) as [NamedTensor];
  expect([head.name, head.tensor.dtype, head.tensor.shape]).toEqual([
    'momentum/counters',
    'int32',
    [4],
  ]);
  expect(valuesOf(head.tensor)).toEqual([12, 2, 7, 9]);
  expect(rest).toEqual(tensors);
  const others = [{ name: 'c', shape: [1] }];
  const more = saveState('momentum', 12, { ...state, others }).slice(1);
  expect(more.map(({ name }) => name)).toEqual(['a/m', 'b/m', 'others']);
  free(tensors);
});

describe('loading', () => {
  const SLOTS = ['m', 'v'];
  const good = () => [
    ints('adam/counters', [5, 2, 3, 4]),
    float('a/m', [1, 2]),
    float('a/v', [3, 4]),
    float('b/c/m', [5], [1, 1]),
    float('b/c/v', [6], [1, 1]),
  ];
  const load = async (saved: readonly NamedTensor[], slots = SLOTS, onHost = false) => {
    const loading = loadState('adam', slots, saved, { onHost });
    free(saved); // the caller may, at once
    return loading;
  };

  test.each([false, true])('what was saved, weight by weight (on the host: %s)', async (onHost) => {
    const others = [{ name: 'd', shape: [2] }];
    const read = await load([...good(), ...saveOthers(others)], SLOTS, onHost);
    expect(read.iterations).toBe(5);
    expect(read.others).toEqual(others);
    const found = read.weights.map(({ name, shape, steps, tensors }) => [
      name,
      shape,
      steps,
      tensors.map((one) => [one.name, one.tensor.shape, ...valuesOf(one.tensor)]),
    ]);
    expect(found).toEqual([
      [
        'a',
        [2],
        3,
        [
          ['a/m', [2], 1, 2],
          ['a/v', [2], 3, 4],
        ],
      ],
      [
        'b/c',
        [1, 1],
        4,
        [
          ['b/c/m', [1, 1], 5],
          ['b/c/v', [1, 1], 6],
        ],
      ],
    ]);
    expect(tf.memory().numTensors).toBe(before + 4); // the counters are gone
    free(read.weights.flatMap(({ tensors }) => tensors));
  });

  test('not on the host: the same data, nothing is read', async () => {
    const saved = [ints('adam/counters', [1, 1, 0]), float('a/m', [1]), float('a/v', [2])];
    const read = await loadState('adam', SLOTS, saved, { onHost: false });
    const tensors = read.weights.flatMap((weight) => weight.tensors);
    expect(read.weights.map(({ steps }) => steps)).toEqual([0]); // it was seen, and took no step
    const ids = (all: readonly NamedTensor[]) => all.map(({ tensor }) => tensor.dataId);
    expect(ids(tensors)).toEqual(ids(saved.slice(1)));
    free([...saved, ...tensors]);
  });

  test('on the host: values of their own, whatever happens to the array that was read', async () => {
    const saved = [ints('adam/counters', [1, 1, 1]), float('a/m', [1]), float('a/v', [2])];
    const live = saved.map(({ tensor }) => tensor.dataSync()); // on cpu the array itself
    const read = await loadState('adam', SLOTS, saved, { onHost: true });
    for (const values of live) values.fill(99);
    const tensors = read.weights.flatMap((weight) => weight.tensors);
    expect(tensors.flatMap(({ tensor }) => valuesOf(tensor))).toEqual([1, 2]);
    free([...saved, ...tensors]);
  });

  test('the counters alone: no weight was seen yet', async () => {
    const read = await load([ints('adam/counters', [0, 0])]);
    expect(read).toEqual({ iterations: 0, weights: [], others: [] });
  });

  test('without state tensors, weights have no names, and may be many', async () => {
    const read = await load([ints('adam/counters', [2, 2, 1, 2])], []);
    expect(read.weights.map(({ name, shape, steps }) => [name, shape, steps])).toEqual([
      ['', [], 1],
      ['', [], 2],
    ]);
  });

  const replaced = (at: number, ...by: NamedTensor[]) => {
    const all = good();
    free(all.splice(at, 1, ...by));
    return all;
  };
  const without = (at: number) => replaced(at);
  test.each<[string, () => NamedTensor[], string]>([
    ['nothing', () => [], 'must begin with its counters, got nothing'],
    [
      'counters as floats',
      () => replaced(0, float('adam/counters', [5, 2, 3, 4])),
      "must begin with its counters, got 'adam/counters' (float32, shape [4])",
    ],
    [
      'counters in two dimensions',
      () => replaced(0, ints('adam/counters', [5, 2, 3, 4], [2, 2])),
      "must begin with its counters, got 'adam/counters' (int32, shape [2, 2])",
    ],
    [
      'more step counts than weights',
      () => replaced(0, ints('adam/counters', [5, 2, 3, 4, 5])),
      'counts 2 weights but has step counts of 3',
    ],
    [
      'fewer step counts than weights',
      () => replaced(0, ints('adam/counters', [5, 2, 3])),
      'counts 2 weights but has step counts of 1',
    ],
    ['no counts', () => replaced(0, ints('adam/counters', [])), 'has a count below 0'],
    [
      'iterations below 0',
      () => replaced(0, ints('adam/counters', [-1, 2, 3, 4])),
      'has a count below 0',
    ],
    [
      'one step count below 0',
      () => replaced(0, ints('adam/counters', [5, 2, 3, -1])),
      'has a count below 0',
    ],
    [
      'a tensor too few',
      () => without(4),
      'must have 2 state tensors for each of its 2 weights, got 3',
    ],
    [
      'a tensor too many',
      () => [...good(), float('d/m', [1])],
      'must have 2 state tensors for each of its 2 weights, got 5',
    ],
    [
      'of another optimizer',
      () => replaced(0, ints('adamw/counters', [5, 2, 3, 4])),
      "begins with 'adamw/counters' (int32, shape [4])",
    ],
    [
      'another slot',
      () => replaced(2, float('a/m', [3, 4])),
      "has 'a/m' (float32, shape [2]) in place of 'a/v'",
    ],
    [
      'a slot of another weight',
      () => replaced(4, float('d/v', [6], [1, 1])),
      "has 'd/v' (float32, shape [1, 1]) in place of 'b/c/v'",
    ],
    [
      'one weight in two shapes',
      () => replaced(4, float('b/c/v', [6])),
      "has state of one weight in two shapes: 'b/c/m' (float32, shape [1, 1]), 'b/c/v' (float32, shape [1])",
    ],
    [
      'whole numbers in place of floats',
      () => replaced(4, ints('b/c/v', [6], [1, 1])),
      "got 'b/c/v' (int32, shape [1, 1]), not float32",
    ],
    [
      'one weight twice',
      () => [
        ints('adam/counters', [5, 2, 3, 4]),
        ...['a/m', 'a/v', 'a/m', 'a/v'].map((name) => float(name, [1])),
      ],
      'has a weight twice',
    ],
    [
      'a weight with state that is among those without, too',
      () => [...good(), ...saveOthers([{ name: 'a', shape: [2] }])],
      'has a weight twice',
    ],
    [
      'a damaged list of the others',
      () => [...good(), text('[')],
      'has a damaged list of other weights',
    ],
    [
      'a long name, which is cut',
      () => replaced(2, float('n'.repeat(81), [3, 4])),
      `has '${'n'.repeat(80)}' (float32`,
    ],
  ])('refused: %s', async (_, make, message) => {
    for (const onHost of [false, true]) {
      const saved = make();
      await expect(load(saved, SLOTS, onHost)).rejects.toMatchObject({
        code: 'STATE_MISMATCH',
        details: { optimizer: 'adam' },
        message: expect.stringContaining(`The saved state of adam ${message}`) as string,
      });
    }
  });
});

describe('what an optimizer of tfjs saved', () => {
  const load = (entries: NamedTensor[], slots = ['m', 'v'], owner = 'adam') => {
    const loading = loadState(owner, slots, entries, { onHost: false });
    free(entries);
    return loading;
  };
  const iter = (n: number) => ints('iter', [n], []);
  const refused = (owner: string, takes: string) => ({
    code: 'STATE_MISMATCH',
    message: `The saved state of ${owner} is of an optimizer of TensorFlow.js; ${owner} ${takes}. Was it saved by another optimizer, or with other options?`,
  });
  const sameOptions = "takes only what tfjs's Adam saved with the same options";

  test('its step count is that of each weight', async () => {
    const read = await load([
      iter(3),
      float('a/m', [1]),
      float('b/m', [2]),
      float('a/v', [3]),
      float('b/v', [4]),
    ]);
    expect([read.iterations, read.others]).toEqual([3, []]);
    const tensors = read.weights.flatMap((weight) => weight.tensors);
    expect(read.weights.map(({ name, steps }) => [name, steps])).toEqual([
      ['a', 3],
      ['b', 3],
    ]);
    expect(tensors.flatMap(({ tensor }) => valuesOf(tensor))).toEqual([1, 3, 2, 4]);
    free(tensors);
  });

  test('before the first step there is no state; after it there must be', async () => {
    expect(await load([iter(0)])).toEqual({ iterations: 0, weights: [], others: [] });
    await expect(load([iter(1)])).rejects.toMatchObject(refused('adam', sameOptions));
    expect(await load([iter(1)], [], 'sgd')).toEqual({ iterations: 1, weights: [], others: [] });
  });

  test('a step count below 0, other state, and a rule that tfjs does not have: refused', async () => {
    await expect(load([iter(-1)])).rejects.toMatchObject(refused('adam', sameOptions));
    const entries = () => [iter(1), float('a/rms', [1])];
    await expect(load(entries())).rejects.toMatchObject(refused('adam', sameOptions));
    await expect(load(entries(), ['m'], 'lion')).rejects.toMatchObject(
      refused('lion', 'has no counterpart in tfjs'),
    );
  });
});
