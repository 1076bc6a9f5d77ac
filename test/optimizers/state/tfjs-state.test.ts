// The state that TensorFlow.js's own optimizers save: read into ours, and checked before it is given back to theirs.

import '../../engines.js';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';

import { readForeign } from '#src/optimizers/state/foreign-state.js';
import { splitName } from '#src/optimizers/state/state-names.js';
import { fromTfjs, isTfjsState, takesOver, tfjsClassOf } from '#src/optimizers/state/tfjs-state.js';
import type { NamedTensor } from '#src/tfjs/named-tensor.js';
import { hostTensor } from '#src/tfjs/host-tensor.js';

beforeAll(() => tf.setBackend('cpu'));
afterEach(() => tf.disposeVariables());

const of = (names: string, shape = [1]): NamedTensor[] =>
  names.split(' ').map((name) => ({
    name,
    tensor: hostTensor(new Float32Array(tf.util.sizeFromShape(shape)), shape),
  }));
const iter = (...counts: number[]): NamedTensor => ({
  name: 'iter',
  tensor: hostTensor(Int32Array.from(counts), counts.length === 1 ? [] : [counts.length]),
});

test('a state tensor is WEIGHT/SLOT, and a weight may have slashes', () => {
  expect(splitName('a/b/m')).toEqual({ weight: 'a/b', slot: 'm' });
  expect(splitName('m')).toEqual({ weight: '', slot: 'm' });
  expect(splitName('a/')).toEqual({ weight: 'a', slot: '' });
});

describe('into ours', () => {
  /** The names of theirs, weight by weight; the tensors are those that were given. */
  const read = (rule: string, slots: string, entries: NamedTensor[]) => {
    const found = fromTfjs(rule, slots === '' ? [] : slots.split(' '), entries);
    return (
      found &&
      found.map((tensors) =>
        tensors.map(
          ({ name, tensor }) =>
            `${name}=${entries.find((entry) => entry.tensor === tensor)?.name ?? ''}`,
        ),
      )
    );
  };

  test('groups of theirs are slots of ours, in our order', () => {
    expect(read('adam', 'm v', of('a/m b/c/m a/v b/c/v'))).toEqual([
      ['a/m=a/m', 'a/v=a/v'],
      ['b/c/m=b/c/m', 'b/c/v=b/c/v'],
    ]);
    expect(read('momentum', 'm', of('a/momentum b/momentum'))).toEqual([
      ['a/m=a/momentum'],
      ['b/m=b/momentum'],
    ]);
    expect(read('adagrad', 'accumulator', of('a/accumulator'))).toEqual([
      ['a/accumulator=a/accumulator'],
    ]);
    expect(read('sgd', '', [])).toEqual([]);
  });

  test('RMSProp always has a momentum: it is left out where ours has none', () => {
    const three = 'a/rms a/momentum a/mg';
    expect(read('rmsprop', 'rms', of('a/rms a/momentum'))).toEqual([['a/rms=a/rms']]);
    expect(read('rmsprop', 'rms momentum', of('a/rms a/momentum'))).toEqual([
      ['a/rms=a/rms', 'a/momentum=a/momentum'],
    ]);
    expect(read('rmsprop', 'rms mg', of(three))).toEqual([['a/rms=a/rms', 'a/mg=a/mg']]);
    expect(read('rmsprop', 'rms', of(three))).toBeNull(); // theirs is centered, ours is not
    expect(read('rmsprop', 'rms mg', of('a/rms a/momentum'))).toBeNull();
  });

  test('no weight was seen: nothing is needed', () => expect(read('adam', 'm v', [])).toEqual([]));

  test.each([
    ['a rule that tfjs does not have', 'lion', 'm', 'a/m'],
    ['a group that ours does not know', 'adam', 'm v', 'a/m a/v a/w'],
    ['a group that is missing', 'adam', 'm v', 'a/m b/m'],
    ['a group that is shorter', 'adam', 'm v', 'a/m b/m a/v'],
    ['a group that is longer', 'adam', 'm v', 'a/m a/v b/v'],
    ['groups in another order', 'adam', 'm v', 'a/m b/m b/v a/v'],
    ['the last weight is another one', 'adam', 'm v', 'a/m b/m a/v c/v'],
  ])('null for %s', (_, rule, slots, names) => expect(read(rule, slots, of(names))).toBeNull());

  test('whose state which takes over', () => {
    expect(tfjsClassOf('rmsprop')).toBe('RMSProp');
    expect(tfjsClassOf('sgd')).toBe('SGD');
    expect(takesOver('SlowlaneSgd', 'SGD')).toBe(true);
    expect(tfjsClassOf('lion')).toBeUndefined();
    expect(takesOver('SlowlaneAdam', 'Adam')).toBe(true);
    expect(takesOver('SlowlaneAdam', 'Momentum')).toBe(false);
    expect(takesOver('SlowlaneMomentum', 'Adam')).toBe(false);
  });

  test('theirs begins with iter, one whole number', () => {
    expect(isTfjsState([iter(3), ...of('a/m')])).toBe(true);
    expect(isTfjsState([])).toBe(false);
    expect(isTfjsState([iter(3, 4)])).toBe(false);
    expect(isTfjsState(of('iter'))).toBe(false); // a float
    expect(isTfjsState([{ ...iter(3), name: 'counters' }])).toBe(false);
  });
});

describe('back to theirs', () => {
  class Custom extends tf.SGDOptimizer {
    static override get className() {
      return 'Custom' as never;
    }
  }
  const optimizers = {
    SGD: () => tf.train.sgd(0.1),
    Momentum: () => tf.train.momentum(0.1, 0.9),
    Adagrad: () => tf.train.adagrad(0.1),
    Adadelta: () => tf.train.adadelta(0.1),
    Adam: () => tf.train.adam(0.1),
    RMSProp: () => tf.train.rmsprop(0.1),
    centered: () => tf.train.rmsprop(0.1, 0.9, 0, 1e-7, true),
    Custom: () => new Custom(0.1),
  };
  const read = (name: keyof typeof optimizers, entries: NamedTensor[]) =>
    readForeign(optimizers[name](), entries);

  test.each(Object.keys(optimizers).slice(0, 7) as (keyof typeof optimizers)[])(
    '%s: what it saves itself, it can have saved',
    async (name) => {
      const optimizer = optimizers[name]();
      expect(await readForeign(optimizer, await optimizer.getWeights())).toEqual({
        iterations: 0,
        weights: [],
      });
      const weights = [
        tf.tidy(() => tf.variable(tf.ones([2]), true, `${name}/a`)),
        tf.tidy(() => tf.variable(tf.ones([1, 3]), true, `${name}/b/c`)),
      ];
      for (let i = 0; i < 2; i++) {
        const loss = () => tf.addN(weights.map((w) => tf.sum(tf.square(w)))) as tf.Scalar;
        optimizer.minimize(loss, false, weights);
      }
      const found = await readForeign(optimizer, await optimizer.getWeights());
      const seen = [
        { name: `${name}/a`, shape: [2] },
        { name: `${name}/b/c`, shape: [1, 3] },
      ];
      expect(found).toEqual({ iterations: 2, weights: name === 'SGD' ? [] : seen });
    },
  );

  test('one that only knows itself: nothing is checked but a step count', async () => {
    expect(await read('Custom', of('a/x b'))).toEqual({ iterations: -1, weights: null });
    expect(await read('Custom', [])).toEqual({ iterations: -1, weights: null });
    expect(await read('Custom', [iter(4), ...of('b')])).toEqual({ iterations: 4, weights: null });
    await expect(read('Custom', [iter(-4)])).rejects.toThrow('has the step count -4');
    await expect(read('Custom', [iter(1, 2)])).rejects.toMatchObject({ code: 'STATE_MISMATCH' });
  });

  const groups = 'is not in groups of one tensor for each weight';
  test.each<[string, keyof typeof optimizers, NamedTensor[], string]>([
    ['nothing', 'Adam', [], "must begin with its step count 'iter', got 'nothing'"],
    ['no step count', 'Adam', of('a/m a/v'), "must begin with its step count 'iter', got 'a/m'"],
    ['two step counts', 'Adam', [iter(1, 2)], "must begin with its step count 'iter'"],
    ['a step count below 0', 'Adam', [iter(-1)], 'has the step count -1'],
    ['state of one without any', 'SGD', [iter(1), ...of('a/m')], `${groups} ()`],
    ['half a weight', 'Adam', [iter(1), ...of('a/m b/m a/v')], `${groups} (m, v)`],
    ['weight by weight', 'Adam', [iter(1), ...of('a/m a/v b/m b/v')], groups],
    ['another ending', 'Adam', [iter(1), ...of('a/m a/w')], groups],
    ['no ending', 'Momentum', [iter(1), ...of('a')], groups],
    ['of other weights', 'Adam', [iter(1), ...of('a/m b/v')], groups],
    ['a weight twice', 'Adam', [iter(1), ...of('a/m a/m a/v a/v')], groups],
    ['in two shapes', 'Adam', [iter(1), ...of('a/m'), ...of('a/v', [2])], groups],
    [
      'whole numbers',
      'Momentum',
      [iter(1), { name: 'a/momentum', tensor: iter(1).tensor }],
      groups,
    ],
    ['not centered', 'centered', [iter(1), ...of('a/rms a/momentum')], '(rms, momentum, mg)'],
    ['centered', 'RMSProp', [iter(1), ...of('a/rms a/momentum a/mg')], '(rms, momentum)'],
  ])('refused: %s', async (_, name, entries, message) => {
    await expect(read(name, entries)).rejects.toMatchObject({
      code: 'STATE_MISMATCH',
      message: expect.stringContaining(message) as string,
      details: { optimizer: name === 'centered' ? 'RMSProp' : name },
    });
  });
});
