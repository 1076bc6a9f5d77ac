// Which weights are tracked, in what order they are saved, and what waits for its weights.

import * as tf from '@tensorflow/tfjs-core';
import { sgd } from 'slowlane';
import { describe, expect, test } from 'vitest';

import { checkLookaheadOptions } from '#src/lookahead/options.js';
import { Frozen } from '#src/lookahead/weights/frozen.js';
import { Restored, type RestoredOptions } from '#src/lookahead/weights/restored.js';
import { type Tracked, Tracking } from '#src/lookahead/weights/tracking.js';
import { asInner } from '#src/optimizers/foreign.js';
import type { SlowStore } from '#src/slow/slow-store.js';
import type { SavedSlow } from '#src/snapshot/lookahead-state.js';
import '../../engines.js';
import { onCleanSlate } from '../../optimizers/state/clean-slate.js';

onCleanSlate();

const make = (name: string, value = 1) =>
  tf.tidy(() => tf.variable(tf.tensor1d([value]), true, name));
const saved = (name: string, serial: number, slot: number | null = null): SavedSlow => ({
  name,
  slot,
  shape: [1],
  values: Float32Array.of(serial),
  serial,
  isKeptInF32: false,
});

/** A store of plain numbers, 7 each until they are written. */
class PlainStore {
  readonly values = new Map<Tracked, Float32Array>();
  isFull = false;
  add(items: readonly Tracked[]): void {
    if (this.isFull) throw new RangeError('no memory');
    for (const item of items) this.values.set(item, Float32Array.of(7));
  }
  write(item: Tracked, values: Float32Array): void {
    if (this.isFull) throw new RangeError('no memory');
    this.values.set(item, values);
  }
  prune(stays: (item: Tracked) => boolean): void {
    for (const item of this.values.keys()) if (!stays(item)) this.values.delete(item);
  }
  async ready(): Promise<void> {}
  async read(item: Tracked): Promise<Float32Array> {
    return this.values.get(item) ?? Float32Array.of(NaN);
  }
  get names(): string[] {
    return [...this.values.keys()].map(({ variable }) => variable.name);
  }
}

function started(waiting: SavedSlow[] = [], options: RestoredOptions = {}) {
  const [store, frozen] = [new PlainStore(), new Frozen()];
  const overrides = [{ weights: /^free/, exclude: true }];
  const settings = checkLookaheadOptions({ overrides });
  const tracking = new Tracking(
    { inner: asInner(sgd()), settings, frozen },
    store as unknown as SlowStore<Tracked>,
    new Restored(waiting, options),
  );
  return { store, frozen, tracking };
}

describe('what is tracked', () => {
  test('is numbered after all that was restored', () => {
    const [a, b, c] = [make('a'), make('b'), make('c')];
    const { tracking } = started([saved('a', 5), saved('b', 2)]);
    tracking.add([a, b, c]);
    expect(tracking.live().map(({ serial }) => serial)).toEqual([5, 2, 6]);
    expect(
      started()
        .tracking.add([make('d')])
        .map(({ serial }) => serial),
    ).toEqual([0]);
  });

  test('leaves no trace if there is no memory, and its restored values can be claimed again', async () => {
    const [a, b] = [make('a'), make('b')];
    const { store, tracking } = started([saved('a', 0), saved('b', 3)]);
    tracking.add([a]);
    store.isFull = true;
    expect(() => tracking.add([b])).toThrow('no memory');
    expect([store.names, tracking.weights]).toEqual([['a'], [a]]);
    store.isFull = false;
    const write = store.write.bind(store);
    store.write = () => {
      throw new RangeError('no memory');
    };
    expect(() => tracking.add([b])).toThrow('no memory');
    expect([store.names, tracking.weights]).toEqual([['a'], [a]]);
    store.write = write;
    tracking.add([b]);
    expect((await tracking.save()).slow.map(({ values }) => [...values])).toEqual([[0], [3]]);
  });

  test('forgets weights that are disposed when others come', () => {
    const [a, b, free] = [make('a'), make('b'), make('free')];
    const { store, tracking } = started();
    tracking.add([a, free]);
    expect(tracking.excluded).toEqual([free]);
    tf.dispose([a, free]);
    expect([tracking.excluded, tracking.live()]).toEqual([[], []]);
    tracking.add([b]);
    expect([store.names, tracking.weights]).toEqual([['b'], [b]]);
  });
});

describe('save()', () => {
  test('gives weights before their slots, what waits too, but not what is dropped', async () => {
    const [a, b] = [make('a'), make('b')];
    const waiting = [saved('a', 0), saved('a', 0, 0), saved('b', 1), saved('b', 1, 0)];
    const { tracking } = started(waiting);
    tracking.add([a]);
    const order = async (dropped?: tf.Variable[]) =>
      (await tracking.save(dropped)).slow.map(({ name, slot }) => [name, slot]);
    expect(await order()).toEqual([
      ['a', null],
      ['b', null],
      ['a', 0],
      ['b', 0],
    ]);
    expect(await order([a])).toEqual([
      ['b', null],
      ['b', 0],
    ]);
    expect(await order([b])).toEqual([
      ['a', null],
      ['a', 0],
    ]);
  });

  test('names the excluded weights that are alive, beside those that have slow values', async () => {
    const [a, free, freed] = [make('a'), make('free'), make('freed')];
    const { tracking } = started();
    tracking.add([a, free, freed]);
    freed.dispose();
    expect((await tracking.save()).others).toEqual([{ name: 'free', shape: [1] }]);
  });

  test('a frozen weight that was loaded with finite values is saved as it is', async () => {
    const [a, b, c] = [make('a'), make('b'), make('c')];
    const { tracking } = started();
    tracking.add([a, b, c]);
    for (const weight of [a, b]) weight.trainable = false;
    const assign = (weight: tf.Variable, value: number) =>
      tf.tidy(() => weight.assign(tf.tensor1d([value])));
    assign(a, 3);
    assign(b, NaN);
    assign(c, 5);
    expect((await tracking.save()).slow.map(({ values }) => [...values])).toEqual([[3], [7], [7]]);
  });
});

describe('what waits', () => {
  test('has the name that its weight has now, as soon as it is known', () => {
    const now = make('now');
    const restored = new Restored([saved('then', 0)], { known: new Map([['then', now]]) });
    expect([restored.waiting, restored.owners]).toEqual([[saved('now', 0)], [now]]);
    expect(new Restored([saved('then', 0)]).waiting).toEqual([saved('then', 0)]);
  });

  test('keeps the names of the weights that were counted with it, once each, until all are met', () => {
    const others = ['x', 'y'].map((name) => ({ name, shape: [1] }));
    const restored = new Restored([saved('a', 0), saved('b', 1)], { others });
    const [a, b, x] = [make('a'), make('b'), make('x')];
    const names = (excluded: tf.Variable[], tracked: tf.Variable[] = []) =>
      restored.others(tracked, excluded).map(({ name }) => name);
    expect(names([])).toEqual(['x', 'y']);
    expect(names([x])).toEqual(['x', 'y']);
    expect(names([], [x])).toEqual(['y']);
    restored.meet([a, b]);
    expect(names([])).toEqual([]);
    expect(names([x, a])).toEqual(['x']); // of a, slow values wait
  });
});
