// What a Lookahead remembers of its weights, part by part: who is frozen, what we wrote, and copies to put back.

import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test, vi } from 'vitest';

import type { Device } from '#src/engine/device.js';
import { currentDevice } from '#src/engines/current-device.js';
import { Frozen } from '#src/lookahead/weights/frozen.js';
import { KnownData } from '#src/lookahead/weights/known-data.js';
import { Stash } from '#src/lookahead/weights/stash.js';
import { inState, inWeight, nonFinite } from '#src/lookahead/non-finite/bad-value.js';
import { valuesOf } from '../../engines.js';
import { onCleanSlate } from '../../optimizers/state/clean-slate.js';

onCleanSlate();

const make = (name: string, values = [1]) =>
  tf.tidy(() => tf.variable(tf.tensor1d(values), true, name));
const assign = (weight: tf.Variable, value: number) =>
  tf.tidy(() => weight.assign(tf.fill(weight.shape, value)));

describe('frozen', () => {
  test('by the variable, or by a model that does not train it', () => {
    const [a, b, c] = [make('a'), make('b'), make('c')];
    const frozen = new Frozen();
    frozen.freezeOthers([a, b], [a]);
    c.trainable = false;
    expect([a, b, c].map((weight) => frozen.has(weight))).toEqual([false, true, true]);
  });

  test('each model says it of its own weights, and may say otherwise later', () => {
    const [a, b, c] = [make('a'), make('b'), make('c')];
    const frozen = new Frozen();
    frozen.freezeOthers([a, b], []);
    frozen.freezeOthers([c], []); // another model
    expect([a, b, c].map((weight) => frozen.has(weight))).toEqual([true, true, true]);
    frozen.freezeOthers([a, b], [a]);
    expect([a, b, c].map((weight) => frozen.has(weight))).toEqual([false, true, true]);
    // A variable that says so itself may take it back.
    b.trainable = false;
    frozen.freezeOthers([a, b], []);
    b.trainable = true;
    expect(frozen.has(b)).toBe(false);
  });
});

describe('what a weight holds', () => {
  const started = (isRestored = false) => {
    const [frozen, weight] = [new Frozen(), make('a')];
    const known = new KnownData(frozen);
    known.begin(weight, { isRestored });
    return { frozen, weight, known };
  };

  test('is as we left it until something else writes; before its first step that is loaded', () => {
    const { weight, known } = started();
    expect([known.isAsLeft(weight), known.look(weight)]).toEqual([true, 'none']);
    assign(weight, 2);
    expect([known.isAsLeft(weight), known.look(weight)]).toEqual([false, 'loaded']);
    known.stepping(weight);
    expect(known.look(weight)).toBe('replaced');
    known.wrote(weight);
    expect([known.isAsLeft(weight), known.look(weight)]).toEqual([true, 'none']);
  });

  test('restored, it is in the middle of its training: replaced at once', () => {
    const { weight, known } = started(true);
    assign(weight, 2);
    expect(known.look(weight)).toBe('replaced');
  });

  test('while it is frozen nobody looks; given free again it may have been loaded, until it is learned', () => {
    const { weight, known } = started(true);
    weight.trainable = false;
    known.learn(weight);
    assign(weight, 2);
    expect(known.look(weight)).toBe('none');
    weight.trainable = true;
    expect([known.look(weight), known.look(weight)]).toEqual(['loaded', 'loaded']);
    known.learn(weight);
    expect(known.look(weight)).toBe('none');
    assign(weight, 3);
    expect(known.look(weight)).toBe('replaced');
  });

  test('of a weight that nobody tracks is not known', () => {
    const { known } = started();
    const other = make('b');
    known.stepping(other);
    known.wrote(other);
    known.syncPassed(other, true);
    expect([known.look(other), known.isAsLeft(other), known.standsStill(other)]).toEqual([
      'none',
      true,
      false,
    ]);
  });

  test('stands still if it steps and misses a second sync in a row', () => {
    const { weight, known } = started();
    const cycle = (steps: boolean, tookPart: boolean) => {
      if (steps) known.stepping(weight);
      const stands = known.standsStill(weight);
      known.syncPassed(weight, tookPart);
      return stands;
    };
    expect(cycle(true, false)).toBe(false); // the first that it misses
    expect(cycle(false, false)).toBe(false); // no step
    expect(cycle(true, true)).toBe(true); // would be the second
    expect(cycle(true, false)).toBe(false); // it took part meanwhile
    expect(cycle(true, false)).toBe(true);
  });

  test('a sync that it misses without a step does not count', () => {
    const { weight, known } = started();
    known.syncPassed(weight, false);
    known.stepping(weight);
    expect(known.standsStill(weight)).toBe(false);
  });

  test('goes with it to other memory', () => {
    const { frozen, weight, known } = started();
    known.stepping(weight);
    const next = new KnownData(frozen);
    next.goOn(weight, known);
    const other = make('b');
    next.goOn(other, known); // nobody knows it
    expect(next.look(other)).toBe('none');
    assign(weight, 2);
    expect(next.look(weight)).toBe('replaced');
    next.learn(weight);
    expect([next.look(weight), known.look(weight)]).toEqual(['none', 'replaced']);
  });
});

describe('a stash', () => {
  test('puts back what it took, except what was dropped or disposed', async () => {
    const [a, b, c, empty] = [make('a'), make('b'), make('c'), make('empty', [])];
    const stash = new Stash();
    await stash.take([a, b, c, empty], currentDevice());
    for (const weight of [a, b]) assign(weight, 2);
    stash.drop(b);
    c.dispose();
    await stash.putBack(currentDevice());
    expect([a, b].flatMap(valuesOf)).toEqual([1, 2]);
  });

  test('asks the device for nothing of a weight without elements', async () => {
    const device = { pull: vi.fn<() => void>(), write: () => ({ push }) };
    const push = vi.fn<() => void>();
    const empty = make('empty', []);
    const stash = new Stash();
    await stash.take([empty], device as unknown as Device);
    await stash.putBack(device as unknown as Device);
    expect(device.pull).not.toHaveBeenCalled();
    expect(push).not.toHaveBeenCalled();
  });
});

test('an error of a NaN names the weight, and its slot if it is in the state', () => {
  const weight = make('a');
  expect(nonFinite(inWeight(weight), 3, 'So')).toMatchObject({
    code: 'NON_FINITE',
    message: "'a' holds a NaN or an infinity after step 3. So.",
  });
  expect(nonFinite(inWeight(weight), 3, 'So').details).toStrictEqual({ weight: 'a', step: 3 });
  expect(nonFinite(inState('a', 'v'), 3, 'So').details).toStrictEqual({
    weight: 'a',
    slot: 'v',
    step: 3,
  });
});
