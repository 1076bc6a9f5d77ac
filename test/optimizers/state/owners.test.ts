// Which variable each saved weight belongs to, when the optimizer meets the weights little by little.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { SavedEntry } from '#src/optimizers/state/match-saved.js';
import { assertAmong, othersOf, Owners } from '#src/optimizers/state/owners.js';

beforeAll(() => tf.setBackend('cpu'));
beforeEach(() => tf.disposeVariables());

const split = (names: string) => names.split(' ').filter((name) => name !== '');
const entriesOf = (names: string) => split(names).map((name): SavedEntry => ({ name, shape: [1] }));
const variable = (name: string, shape: number[] = [1]) =>
  tf.tidy(() => tf.variable(tf.zeros(shape), true, name));
const refused = expect.objectContaining({ code: 'STATE_MISMATCH' });

interface Case {
  /** Saved, with state. */
  readonly saved: string;
  /** Saved, without state. */
  readonly others?: string;
  /** All variables of the process, in the order in which they were made. */
  readonly now: string;
  /** Those that are seen; default: all. */
  readonly seen?: string;
  readonly beside?: string;
  readonly isWhole?: boolean;
}

/** 'SAVED=WEIGHT' of each saved weight whose variable was found. */
function met({ saved, others = '', now, seen = now, beside = '', isWhole }: Case): string[] {
  tf.disposeVariables();
  const made = new Map(split(now).map((name) => [name, variable(name)]));
  const of = (names: string) => split(names).map((name) => made.get(name) as tf.Variable);
  const owners = new Owners(entriesOf(saved), { others: entriesOf(others) });
  const all = split(`${saved} ${others}`);
  try {
    if (isWhole === undefined) owners.meet(of(seen), of(beside));
    else owners.meet(of(seen), of(beside), { isWhole });
  } catch (error) {
    expect(all.filter((name) => owners.of(name))).toEqual([]); // nothing has changed
    throw error;
  }
  return all.flatMap((name) => {
    const weight = owners.of(name);
    if (!weight) return [];
    expect(owners.nameOf(weight)).toBe(name);
    return `${name}=${weight.name}`;
  });
}

const matches = (cases: [string, Case, string][]) =>
  test.each(cases)('%s', (_, given, expected) => expect(met(given)).toEqual(split(expected)));
const refuses = (cases: [string, Case][]) =>
  test.each(cases)('refused: %s', (_, given) => expect(() => met(given)).toThrow(refused));

describe('nameless weights', () => {
  matches([
    ['in the process that saved them, the numbers', { saved: '4 3', now: '3 4' }, '4=4 3=3'],
    ['also if others are seen with them', { saved: '3', now: '2 3 9', seen: '9 3 2' }, '3=3'],
    [
      'in another one, the order of the numbers',
      { saved: '8 9 10', now: '97 98 101' },
      '8=97 9=98 10=101',
    ],
    [
      'which counts those without state, too',
      { saved: '8 10', others: '9', now: '20 21 22', seen: '20 22', beside: '21' },
      '8=20 10=22 9=21',
    ],
    [
      'as the order in which they are listed',
      { saved: '8 9', now: '20 21', seen: '20 21' },
      '8=20 9=21',
    ],
  ]);
  refuses([
    ['fewer than at saving', { saved: '8 9', now: '20' }],
    ['more than at saving', { saved: '8 9', now: '20 21 22' }],
    ['one of the numbers is there, the other is not', { saved: '8 9', now: '9 20' }],
    ['listed in another order than their numbers', { saved: '8 9', now: '20 21', seen: '21 20' }],
    ['the last two of three are', { saved: '8 9 10', now: '20 21 22', seen: '20 22 21' }],
  ]);
});

describe('names that the caller gave', () => {
  matches([
    ['beside nameless ones', { saved: '8 a 9', now: '20 a 21' }, '8=20 a=a 9=21'],
    ['decide in any order', { saved: 'a b', now: 'b a' }, 'a=a b=b'],
    ['for a part of them', { saved: 'a b c', now: 'c a b', seen: 'c' }, 'c=c'],
    [
      'with endings, which are no places',
      { saved: 'w_1 w_2', now: 'w_2 w_1', seen: 'w_2' },
      'w_1=w_1 w_2=w_2',
    ],
    ['with an ending, alone', { saved: 'w_1', now: 'w_1' }, 'w_1=w_1'],
    ['with endings, among more', { saved: 'w_2', now: 'w_1 w_2 w_3' }, 'w_2=w_2'],
    ['beside a copy of another model', { saved: 'a', now: 'a a_1', seen: 'a' }, 'a=a'],
    [
      'a copy, where tfjs gave the ending',
      { saved: 'a b', now: 'a b a_1 b_1', seen: 'a_1 b_1' },
      'a=a_1 b=b_1',
    ],
    ['a copy of a layer', { saved: 'l/w_1', now: 'l/w l/w_1 l/w_3', seen: 'l/w_3' }, 'l/w_1=l/w_3'],
  ]);
  refuses([
    ['another name', { saved: 'a', now: 'b' }],
    ['w_2 is no copy of w_1: the caller numbered them', { saved: 'w_1', now: 'w_2' }],
    ['of two, one is there and one is new', { saved: 'w_1 w_2', now: 'w_2 w_3' }],
  ]);
});

describe('names that tfjs gave its layers', () => {
  matches([
    [
      'the same layers, all of them',
      { saved: 'd_D1/k d_D2/k', now: 'd_D1/k d_D2/k' },
      'd_D1/k=d_D1/k d_D2/k=d_D2/k',
    ],
    [
      'the same layers and others that were known at saving',
      { saved: 'd_D2/k', others: 'd_D1/k', now: 'd_D1/k d_D2/k', seen: 'd_D1/k d_D2/k' },
      'd_D2/k=d_D2/k d_D1/k=d_D1/k',
    ],
    [
      'the very names that have state, though tfjs counts more now',
      { saved: 'd_D1/k d_D2/k', now: 'd_D1/k d_D2/k d_D3/k', seen: 'd_D2/k d_D1/k' },
      'd_D1/k=d_D1/k d_D2/k=d_D2/k',
    ],
    [
      'the very names, of two weights a layer',
      {
        saved: 'd_D1/k d_D1/b',
        now: 'd_D1/k d_D1/b d_D2/k d_D2/b',
        seen: 'd_D1/k d_D1/b',
      },
      'd_D1/k=d_D1/k d_D1/b=d_D1/b',
    ],
    [
      'a model made again, in the order of its numbers: 9 before 10',
      { saved: 'd_D1/k d_D2/k', now: 'd_D1/k d_D2/k d_D10/k d_D9/k', seen: 'd_D10/k d_D9/k' },
      'd_D1/k=d_D9/k d_D2/k=d_D10/k',
    ],
    [
      'a model made again, and a frozen layer between',
      {
        saved: 'd_D1/k d_D3/k',
        others: 'd_D2/k',
        now: 'd_D1/k d_D2/k d_D3/k d_D4/k d_D5/k d_D6/k',
        seen: 'd_D4/k d_D6/k',
      },
      'd_D1/k=d_D4/k d_D3/k=d_D6/k d_D2/k=d_D5/k',
    ],
    [
      'a copy of each layer, beside the first ones',
      { saved: 'd_D1/k d_D2/k', now: 'd_D1/k d_D2/k d_D2/k_1 d_D1/k_1', seen: 'd_D2/k_1 d_D1/k_1' },
      'd_D1/k=d_D1/k_1 d_D2/k=d_D2/k_1',
    ],
  ]);
  refuses([
    ['one layer more than at saving', { saved: 'd_D1/k', now: 'd_D1/k d_D2/k' }],
    ['one layer fewer', { saved: 'd_D1/k d_D2/k', now: 'd_D1/k' }],
    ['as many, of which one is new', { saved: 'd_D1/k d_D2/k', now: 'd_D2/k d_D3/k' }],
    [
      'as many new ones as at saving, but old ones are seen with them',
      { saved: 'd_D1/k d_D2/k', now: 'd_D2/k d_D3/k d_D4/k' },
    ],
    ['two models of such layers', { saved: 'd_D1/k', now: 'd_D2/k d_D3/k', seen: 'd_D2/k' }],
  ]);
});

describe('all weights of a model: no other variable counts', () => {
  const isWhole = true;
  matches([
    [
      'the names decide, though another model is there and others were counted',
      {
        saved: 'd_D3/k',
        others: 'd_D1/k d_D4/k',
        now: 'd_D2/k d_D3/k d_D4/k',
        seen: 'd_D4/k d_D3/k',
        isWhole,
      },
      'd_D3/k=d_D3/k d_D4/k=d_D4/k',
    ],
    [
      'a model made again, beside another one',
      { saved: 'd_D1/k d_D2/k', now: 'd_D5/k d_D6/k d_D7/k', seen: 'd_D6/k d_D7/k', isWhole },
      'd_D1/k=d_D6/k d_D2/k=d_D7/k',
    ],
    [
      'a copy of a model of which another one was counted',
      {
        saved: 'd_D2/k',
        others: 'd_D1/k',
        now: 'd_D1/k d_D2/k d_D2/k_1',
        seen: 'd_D2/k_1',
        isWhole,
      },
      'd_D2/k=d_D2/k_1',
    ],
  ]);
  refuses([
    [
      'a layer that was not there',
      { saved: 'd_D1/k', others: 'd_D2/k', now: 'd_D1/k d_D3/k', isWhole },
    ],
    [
      'a layer with state that is missing',
      { saved: 'd_D1/k d_D2/k', others: 'd_D3/k', now: 'd_D2/k', isWhole },
    ],
    ['nameless ones in another order', { saved: '1 2', now: '7 8', seen: '8 7', isWhole }],
    ['nameless ones of another count', { saved: '1 2', others: '3', now: '7 8', isWhole }],
  ]);
});

describe('little by little', () => {
  test('each group is matched when it is seen, and once', () => {
    const [a, b] = [variable('a/w'), variable('b/w')];
    const owners = new Owners(entriesOf('a/w b/w'));
    owners.meet([b]);
    expect([owners.of('a/w'), owners.of('b/w')]).toEqual([undefined, b]);
    owners.meet([a, b]);
    expect([owners.of('a/w'), owners.of('b/w')]).toEqual([a, b]);
    const late = variable('b/w_1');
    owners.meet([late]); // of no concern: b/w has its owner
    expect(owners.of('b/w')).toBe(b);
    expect(owners.nameOf(late)).toBeUndefined();
  });

  test('of one group, a part is matched after the other; what has its owner keeps it', () => {
    const owners = new Owners(entriesOf('w_1 w_2'));
    const one = variable('w_1');
    owners.meet([one]);
    const made = [variable('w_3'), variable('w_4')];
    // Two new ones for two saved ones, but w_1 was not made again.
    expect(() => owners.meet(made)).toThrow(refused);
    const two = variable('w_2');
    owners.meet([two]);
    expect([owners.of('w_1'), owners.of('w_2')]).toEqual([one, two]);
    owners.meet([one, ...made]);
    expect(made.map((weight) => owners.nameOf(weight))).toEqual([undefined, undefined]);
  });

  test('the first weights that are seen have to be among those that were saved', () => {
    const [a, b] = [variable('a'), variable('b')];
    const owners = new Owners(entriesOf('a'));
    owners.meet([]);
    expect(() => owners.meet([b])).toThrow(refused);
    owners.meet([b, a]);
    expect(owners.of('a')).toBe(a);
    owners.meet([variable('c')]); // now a new one is a new one
    expect(owners.of('a')).toBe(a);
  });

  test('a later refusal changes nothing of what was found', () => {
    const a = variable('a');
    const owners = new Owners(entriesOf('a d_D1/k'));
    owners.meet([a]);
    const layers = [variable('d_D1/k'), variable('d_D2/k')];
    expect(() => owners.meet(layers)).toThrow(refused);
    expect([owners.of('a'), owners.of('d_D1/k')]).toEqual([a, undefined]);
  });

  test('another shape is refused, and all groups with it', () => {
    const owners = new Owners([...entriesOf('a'), { name: 'b', shape: [2] }]);
    const [a, b] = [variable('a'), variable('b', [3])];
    expect(() => owners.meet([a, b])).toThrow(/shape \[2\].*'b' of shape \[3\]/);
    expect(owners.of('a')).toBeUndefined();
  });

  test('nothing was saved: every weight is new', () => {
    const owners = new Owners([], { others: entriesOf('a') });
    owners.meet([variable('b')]);
    expect(owners.of('a')).toBeUndefined();
    expect(owners.others).toEqual(entriesOf('a'));
  });

  test('others are those without state alone', () => {
    expect(new Owners(entriesOf('a b')).others).toEqual([]);
    const owners = new Owners(entriesOf('d_D1/k'), { others: entriesOf('d_D2/k e_E1/k') });
    expect(owners.others).toEqual(entriesOf('d_D2/k e_E1/k'));
    owners.meet([variable('d_D1/k'), variable('d_D2/k')]);
    expect(owners.others).toEqual(entriesOf('e_E1/k')); // the others have variables now
  });
});

describe('all owners are known', () => {
  test('they are as given, frozen ones too, and nothing is found later', () => {
    const [x, y, b] = [variable('x'), variable('y'), variable('b')];
    const known = new Map([
      ['a', x],
      ['frozen', y],
    ]);
    const owners = new Owners(entriesOf('a'), { known });
    owners.meet([b]);
    expect([owners.of('a'), owners.of('frozen'), owners.of('b')]).toEqual([x, y, undefined]);
    expect([owners.nameOf(x), owners.nameOf(y), owners.nameOf(b)]).toEqual([
      'a',
      'frozen',
      undefined,
    ]);
  });

  test('a saved weight that is not among them, or has another shape, is refused', () => {
    const known = new Map([['a', variable('x', [2])]]);
    expect(() => new Owners(entriesOf('b'), { known })).toThrow(
      /1 weights \('b' \[1\]\), 1 are .*'x' \[2\]/,
    );
    expect(() => new Owners(entriesOf('a'), { known })).toThrow(/shape \[1\].*'x' of shape \[2\]/);
  });
});

describe('the weights that tfjs counts together with some', () => {
  const others = (now: string, of: string) => {
    tf.disposeVariables();
    const made = new Map(split(now).map((name) => [name, variable(name)]));
    return othersOf(split(of).map((name) => made.get(name) as tf.Variable)).map(({ name }) => name);
  };

  test('are those of its group without these, in order', () => {
    expect(others('d_D10/k d_D2/k d_D1/k d_D1/b e_E1/k', 'd_D2/k')).toEqual(['d_D1/k', 'd_D10/k']);
    expect(others('a b', 'a')).toEqual([]);
  });

  test('of a copy, those of the same copy; of several, all', () => {
    const now = 'd_D1/k d_D2/k d_D1/k_1 d_D2/k_1 d_D3/k_2';
    expect(others(now, 'd_D1/k')).toEqual(['d_D2/k']);
    expect(others(now, 'd_D2/k_1')).toEqual(['d_D1/k_1']);
    expect(others(now, 'd_D1/k d_D2/k_1')).toEqual(['d_D1/k_1', 'd_D2/k', 'd_D3/k_2']);
  });

  test('of nameless ones nobody: all of a process would be', () => {
    expect(others('1 2 3', '2')).toEqual([]);
  });
});

test('state of a weight that is not given is refused, by its name if it has met one', () => {
  const [a, b] = [variable('a'), variable('b')];
  assertAmong([a], [b, a]);
  assertAmong([], []);
  expect(() => assertAmong([a, b], [a])).toThrow(
    /state of 'b', which is not among the 1 weights given/,
  );
  expect(() => assertAmong([a, undefined], [a, b])).toThrow(
    /state of a weight that was restored, which is not among the 2 weights/,
  );
});
