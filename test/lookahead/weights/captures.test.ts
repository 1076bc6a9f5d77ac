// First slow values on their way into the store: what it takes, what waits, and what cannot be captured.

import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test, vi } from 'vitest';

import { registerEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import { Captures } from '#src/lookahead/weights/captures.js';
import type { SlowStore, Storable } from '#src/slow/slow-store.js';
import { valuesOf } from '../../engines.js';
import { onCleanSlate } from '../../optimizers/state/clean-slate.js';

onCleanSlate();

type Sources = ReadonlyMap<tf.Variable, tf.Tensor>;

function started({ pullsAtOnce = true } = {}) {
  const { pullsAtOnce: _, ...device } = currentDevice();
  registerEngine(tf.backend(), { device: pullsAtOnce ? { ...device, pullsAtOnce } : device });
  const captured: number[][] = [];
  let bad: tf.Variable[] = [];
  /** The items that the store cannot take. */
  const left: Storable[] = [];
  const store = {
    take: vi.fn<(due: readonly Storable[]) => readonly Storable[]>((due) =>
      due.filter((item) => left.includes(item)),
    ),
    capture: async (sources: Sources) => {
      captured.push([...sources.values()].flatMap(valuesOf));
      return bad;
    },
  };
  const captures = new Captures(store as unknown as SlowStore<Storable>);
  const item = (name: string, value = 1): Storable => {
    const variable = tf.tidy(() => tf.variable(tf.tensor1d([value]), true, name));
    return { variable, size: 1, slot: null, serial: 0, slow: 'host:f32', isKeptInF32: false };
  };
  return {
    store,
    left,
    captures,
    captured,
    item,
    fails: (...those: tf.Variable[]) => (bad = those),
  };
}

describe('run()', () => {
  test('captures what is new as it is now, once', async () => {
    const { captures, captured, item } = started();
    expect(captures.areDue).toBe(false);
    const { variable } = item('a', 3);
    captures.begin(variable);
    expect([captures.areDue, captures.isDue(variable)]).toEqual([true, true]);
    expect(await captures.run(0)).toBeNull();
    expect([captures.areDue, captures.isDue(variable)]).toEqual([false, false]);
    await captures.run(0);
    expect(captured).toEqual([[3], []]);
  });

  test('what is refused stays due, is returned again, and has no slow values if it was new', async () => {
    const { captures, item, fails } = started();
    const [a, b] = [item('a').variable, item('b').variable];
    captures.begin(a);
    captures.add(b); // has older ones
    fails(a, b);
    expect(await captures.run(0)).toEqual({ variable: a, isFirst: true });
    expect([captures.areDue, captures.isDue(a), captures.isDue(b)]).toEqual([true, true, false]);
    fails();
    expect(await captures.run(0)).toEqual({ variable: a, isFirst: true });
    expect(captures.giveUp()).toEqual({ variable: a, isFirst: true });
    captures.add(a); // finite by now
    expect(await captures.run(0)).toEqual({ variable: b, isFirst: false });
    expect(captures.giveUp()).toBeNull();
    expect(captures.areDue).toBe(false);
  });

  test('a refused weight that is disposed is not missed', async () => {
    const { captures, item, fails } = started();
    const a = item('a').variable;
    captures.begin(a);
    fails(a);
    await captures.run(0);
    a.dispose();
    fails();
    expect(await captures.run(0)).toBeNull();
    expect(captures.areDue).toBe(false);
  });
});

describe('take()', () => {
  test('gives the store what is due, and what it cannot take waits beside its weight', async () => {
    const { captures, captured, item, store, left } = started();
    const [a, b, c] = [item('a', 1), item('b', 2), item('c', 3)];
    for (const { variable } of [a, b]) captures.begin(variable);
    left.push(b);
    expect(captures.take([a, b, c], 0)).toBeNull();
    expect(store.take.mock.calls[0]?.[0]).toEqual([a, b]);
    tf.tidy(() => b.variable.assign(tf.tensor1d([9])));
    expect([captures.isDue(a.variable), captures.isDue(b.variable)]).toEqual([false, true]);
    expect(captures.take([a, b, c], 0)).toBeNull(); // nothing more is due
    expect(store.take).toHaveBeenCalledTimes(1);
    expect(await captures.run(0)).toBeNull();
    expect(captured).toEqual([[2]]);
  });

  test('needs run() once more, also if all was taken', async () => {
    const { captures, item } = started();
    const a = item('a');
    captures.begin(a.variable);
    expect(captures.take([a], 0)).toBeNull();
    expect(captures.areDue).toBe(true);
    await captures.run(0);
    expect(captures.areDue).toBe(false);
  });

  test('a NaN is seen where the device can be read at once, and nothing is taken', async () => {
    const { captures, item, store } = started();
    const [a, b] = [item('a'), item('b', NaN)];
    for (const { variable } of [a, b]) captures.begin(variable);
    expect(captures.take([a, b], 0)).toEqual({ variable: b.variable, isFirst: true });
    expect(store.take).not.toHaveBeenCalled();
    captures.drop();
    const late = started({ pullsAtOnce: false });
    const other = late.item('c', NaN);
    late.captures.begin(other.variable);
    expect(late.captures.take([other], 0)).toBeNull();
    late.captures.drop();
  });

  test('what was refused before is refused again', async () => {
    const { captures, item, fails, store } = started();
    const a = item('a');
    captures.begin(a.variable);
    fails(a.variable);
    await captures.run(0);
    expect(captures.take([a], 0)).toEqual({ variable: a.variable, isFirst: true });
    expect(store.take).not.toHaveBeenCalled();
  });

  test('captured again in place of what waits: the copy that waited is freed', async () => {
    const { captures, captured, item, left } = started();
    const a = item('a', 1);
    captures.begin(a.variable);
    left.push(a);
    const { numTensors } = tf.memory();
    captures.take([a], 0);
    expect(tf.memory().numTensors).toBe(numTensors + 1);
    tf.tidy(() => a.variable.assign(tf.tensor1d([5])));
    captures.add(a.variable);
    expect(tf.memory().numTensors).toBe(numTensors);
    await captures.run(0);
    expect([...captured, ...valuesOf(a.variable)]).toEqual([[5], 5]);
  });
});
