// What a sync looks through before it changes anything, and how it names what it finds.

import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from 'slowlane';
import { describe, expect, test, vi } from 'vitest';

import type { CycleState } from '#src/lookahead/cycle-state.js';
import { BadValues } from '#src/lookahead/non-finite/bad-values.js';
import type { Tracked } from '#src/lookahead/weights/tracking.js';
import type { BadState, InnerOptimizer, StateTensor } from '#src/optimizers/inner-optimizer.js';
import '../engines.js';
import { onCleanSlate } from '../optimizers/state/clean-slate.js';

onCleanSlate();

const make = (name: string, ...values: number[]) =>
  tf.tidy(() => tf.variable(tf.tensor1d(values), true, name));
const stateOf = (weight: tf.Variable, variable: tf.Variable, ...slots: string[]): StateTensor => ({
  weight,
  variable,
  slots,
  initial: 0,
});
const isBad = (tensor: tf.Tensor) => !tensor.dataSync().every(Number.isFinite);

interface Parts {
  inner?: Partial<Record<keyof InnerOptimizer, unknown>>;
  excluded?: tf.Variable[];
  frozen?: tf.Variable[];
  gradients?: [string, tf.Tensor][];
  hasAtOnce?: boolean;
}

function started({ inner, excluded = [], frozen = [], gradients = [], hasAtOnce = true }: Parts) {
  const seen: tf.Tensor[][] = [];
  const inspect = (due: readonly Tracked[], others: readonly tf.Tensor[]) => {
    seen.push([...others]);
    return [...due.map(({ variable }) => variable), ...others].find(isBad) ?? null;
  };
  const tracking = {
    store: {
      inspect: async (due: readonly Tracked[], others: readonly tf.Tensor[]) =>
        inspect(due, others),
      atOnce: hasAtOnce ? { inspect } : null,
    },
    isFrozen: (weight: tf.Variable) => frozen.includes(weight),
    excluded,
  };
  const optimizer = { supportsState: true, state: () => [], ...inner };
  const state = { tracking, stepSizes: { gradients } };
  const values = new BadValues(
    optimizer as unknown as InnerOptimizer,
    state as unknown as CycleState,
  );
  return { values, seen };
}

const due = (...weights: tf.Variable[]) =>
  weights.map((variable) => ({ variable }) as unknown as Tracked);
/** Both ways to look. */
const both = async (parts: Parts, weights: tf.Variable[]) => {
  const { values } = started(parts);
  const found = await values.first(due(...weights));
  expect(values.firstAtOnce(due(...weights))).toEqual(found);
  return found;
};
const unsupported = new SlowlaneError('UNSUPPORTED_INNER', 'in no groups');

describe('a sync finds', () => {
  test('nothing, or a weight, or one that is excluded', async () => {
    const [a, b] = [make('a', 1), make('b', NaN)];
    expect(await both({}, [a])).toBeNull();
    expect(await both({}, [a, b])).toEqual({ weight: 'b', text: "'b'" });
    expect(await both({ excluded: [b] }, [a])).toEqual({
      weight: 'b',
      isExcluded: true,
      text: "'b'",
    });
  });

  test('a gradient of adaptive()', async () => {
    const gradient = tf.tensor1d([Infinity]);
    expect(await both({ gradients: [['a', gradient]] }, [make('a', 1)])).toEqual({
      weight: 'a',
      text: "For 'a', the gradient of adaptive()",
    });
    gradient.dispose();
  });

  test('state by its slot: of one tensor, or of the row of scales that it is in', async () => {
    const a = make('a', 1);
    const state = (variable: tf.Variable, ...slots: string[]) => ({
      inner: { state: () => [stateOf(a, variable, ...slots)] },
    });
    const named = (slot: string) => ({ weight: 'a', slot, text: `The state '${slot}' of 'a'` });
    expect(await both(state(make('one', NaN, 0), 'm'), [a])).toEqual(named('m'));
    expect(await both(state(make('first', 0, NaN, 0, 0), 'm', 'v'), [a])).toEqual(named('m'));
    expect(await both(state(make('second', 0, 0, NaN, 0), 'm', 'v'), [a])).toEqual(named('v'));
  });

  test('no state of a frozen weight, nor what it looks through as a weight already', async () => {
    const [a, b, m] = [make('a', 1), make('b', 1), make('m', 1)];
    const all = [stateOf(a, m, 'm'), stateOf(b, make('n', NaN), 'm')];
    const inner = { state: () => all };
    const { values, seen } = started({ inner, frozen: [b] });
    expect(await values.first(due(a, m))).toBeNull(); // m is due too: innerState 'interpolate'
    expect(seen).toEqual([[]]);
    await values.first(due(a));
    expect(seen[1]).toEqual([m]);
  });

  test('state on the host, of weights that take steps', async () => {
    const [a, b] = [make('a', 1), make('b', 1)];
    const asked: boolean[] = [];
    const firstBadOnHost = async (isMeant: (weight: tf.Variable) => boolean) => {
      asked.push(isMeant(a), isMeant(b));
      return { weight: a, slot: 'v' } satisfies BadState;
    };
    const { values } = started({ inner: { firstBadOnHost }, frozen: [b] });
    expect(await values.first(due(a))).toEqual({
      weight: 'a',
      slot: 'v',
      text: "The state 'v' of 'a'",
    });
    expect(asked).toEqual([true, false]);
  });

  test('nothing in state that cannot be listed, or that nobody can tell apart', async () => {
    const a = make('a', 1);
    const state = vi.fn<() => StateTensor[]>(() => [stateOf(a, make('m', NaN), 'm')]);
    expect(await both({ inner: { supportsState: false, state } }, [a])).toBeNull();
    expect(state).not.toHaveBeenCalled();
    const { values } = started({ inner: { state: () => Promise.reject(unsupported) } });
    expect(await values.first(due(a))).toBeNull();
    // It would have to be awaited, and nobody waits for its error.
    const waiting = Promise.reject(unsupported);
    const caught = vi.spyOn(waiting, 'catch');
    expect(started({ inner: { state: () => waiting } }).values.firstAtOnce(due(a))).toBeNull();
    expect(caught).toHaveBeenCalledOnce();
    for (const error of [new Error('mine'), new SlowlaneError('DEVICE_LOST', 'gone')]) {
      const other = started({ inner: { state: () => Promise.reject(error) } });
      await expect(other.values.first(due(a))).rejects.toBe(error);
    }
  });

  test('nothing at once where the store cannot look at once', () => {
    const b = make('b', NaN);
    expect(started({ hasAtOnce: false }).values.firstAtOnce(due(b))).toBeNull();
  });
});

describe('areInState()', () => {
  const a = () => make('a', 1);
  const asked = (inner: Parts['inner']) => started({ inner: inner ?? {} }).values.areInState();

  test('on the device, on the host of any weight, or nowhere', async () => {
    const weight = a();
    const [good, bad] = [make('good', 1), make('bad', NaN)].map((m) => [stateOf(weight, m, 'm')]);
    expect(await asked({ state: () => good })).toBe(false);
    expect(await asked({ state: () => bad })).toBe(true);
    expect(await asked({ firstBadOnHost: async () => null, state: () => good })).toBe(false);
    const firstBadOnHost = async (isMeant: (one: tf.Variable) => boolean) =>
      isMeant(weight) ? { weight, slot: 'm' } : null;
    expect(await asked({ firstBadOnHost })).toBe(true);
  });

  test('what cannot be read is taken for spoilt', async () => {
    expect(await asked({ firstBadOnHost: () => Promise.reject(new Error('lost')) })).toBe(true);
  });
});
