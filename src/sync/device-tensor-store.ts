// Slow weights as tensors on the device, by plain tensor operations on any backend: what Lookahead costs
// without a slow lane, to compare with. Nothing moves and nothing is saved.
//
// In float32: a blend differs from the host's by roundings.

import * as tf from '@tensorflow/tfjs-core';

import { shareOnPurpose } from '../engine/shared-data.js';
import { currentDevice } from '../engines/current-device.js';
import { atOnce, awaited, nonFiniteIn, type Reading } from '../engines/finite.js';
import { badIn } from './bad-sources.js';
import { isGone } from '../tfjs/variables.js';
import type {
  BlendOptions,
  Blending,
  SlowPart,
  SlowStore,
  Storable,
  StoreAtOnce,
  StoreBytes,
  StoreClock,
} from '../slow/slow-store.js';

export class DeviceTensorStore<W extends Storable> implements SlowStore<W> {
  readonly description = 'device';
  readonly #clock: StoreClock;
  /** May share its data with the variable: an update of that makes new data, or a copy first. null: zeros. */
  readonly #slow = new Map<W, tf.Tensor | null>();

  constructor(clock: StoreClock) {
    this.#clock = clock;
  }

  get bytes(): StoreBytes {
    const device = [...this.#slow.keys()].reduce((sum, { size }) => sum + size * 4, 0);
    return { slow: 0, staging: 0, device };
  }

  add(items: readonly W[]): void {
    for (const item of items) this.#slow.set(item, null);
  }

  prune(isAlive: (item: W) => boolean): void {
    for (const [item, slow] of this.#slow) {
      if (isAlive(item)) continue;
      slow?.dispose();
      this.#slow.delete(item);
    }
  }

  /** What cannot be looked at now is not taken: it would take the place of the slow values. */
  take(items: readonly W[]): readonly W[] {
    if (currentDevice().pullsAtOnce !== true) return items;
    for (const item of items) this.#put(item, item.variable.clone());
    return [];
  }

  async capture(source: ReadonlyMap<tf.Variable, tf.Tensor>): Promise<readonly tf.Variable[]> {
    const bad = await badIn(source, this.#slow.keys());
    for (const item of this.#slow.keys()) {
      const tensor = source.get(item.variable);
      if (!tensor || isGone(tensor) || bad.includes(item.variable)) continue;
      this.#put(item, tensor.clone());
    }
    return bad;
  }

  async restore(isMeant: (item: W) => boolean): Promise<void> {
    this.#restore(isMeant);
  }

  #restore(isMeant: (item: W) => boolean): void {
    for (const [item, slow] of this.#slow) {
      if (slow === null || isGone(item.variable) || !isMeant(item)) continue;
      item.variable.assign(slow);
    }
  }

  get atOnce(): StoreAtOnce<W> | null {
    if (currentDevice().pullsAtOnce !== true) return null; // the check for NaN has to read
    return {
      inspect: (items, beside) => atOnce(inspecting(items, beside)),
      restore: (isMeant) => this.#restore(isMeant),
    };
  }

  inspect(items: readonly W[], beside: readonly tf.Tensor[]): Promise<tf.Tensor | null> {
    return awaited(inspecting(items, beside));
  }

  blend({ stepSizeOf }: BlendOptions<W>): Blending {
    const due = new Set(this.#slow.keys());
    const run = async (): Promise<number> => {
      for (const item of due) {
        const stepSize = stepSizeOf(item);
        if (stepSize === null || isGone(item.variable)) continue;
        await this.#clock.time('blend', () => this.#blend(item, stepSize));
        due.delete(item); // a run that goes on leaves it alone
      }
      return 0;
    };
    const runAtOnce = (): number => {
      for (const item of due) {
        const stepSize = stepSizeOf(item);
        if (stepSize !== null && !isGone(item.variable)) this.#blend(item, stepSize);
        due.delete(item);
      }
      return 0;
    };
    return { run, runAtOnce };
  }

  async *parts(isMeant: (item: W) => boolean): AsyncGenerator<SlowPart<W>> {
    for (const item of this.#slow.keys()) {
      if (isMeant(item) && item.size > 0) yield { item, start: 0, values: await this.read(item) };
    }
  }

  async read(item: W): Promise<Float32Array> {
    // A copy: on some backends `data` gives the live array.
    const values = await this.#slow.get(item)?.data<'float32'>();
    return values ? Float32Array.from(values) : new Float32Array(item.size);
  }

  kept(item: W): Promise<Float32Array> {
    return this.read(item);
  }

  write(item: W, values: Float32Array): void {
    this.#put(item, tf.tensor(values.slice(), item.variable.shape, 'float32'));
  }

  async ready(): Promise<void> {}

  async yield(): Promise<void> {}

  dispose(): void {
    this.prune(() => false);
  }

  #blend(item: W, stepSize: number): void {
    const { variable: fast } = item;
    const slow = this.#slow.get(item);
    if (slow === undefined) return; // gone meanwhile
    const next = tf.tidy(() => blended(slow ?? tf.zerosLike(fast), fast, Math.fround(stepSize)));
    try {
      fast.assign(next); // first: if it throws, a run that goes on starts from the same slow weights
    } catch (cause) {
      next.dispose();
      throw cause;
    }
    this.#put(item, next);
  }

  /** `tensor` is the store's from now on. */
  #put(item: W, tensor: tf.Tensor): void {
    this.#slow.get(item)?.dispose();
    this.#slow.set(item, shareOnPurpose(tf.keep(tensor)));
  }
}

/**
 * s + a(f − s); s where f = s, which keeps −0. Of halves, because f − s itself may be larger than any float32. Rounding does
 * not lead beyond f: a ≤ 1 − 2⁻²⁴ takes at least what it adds.
 */
function blended(s: tf.Tensor, f: tf.Tensor, a: number): tf.Tensor {
  if (a === 0) return s.clone();
  if (a === 1) return f.clone();
  const blend = tf.tidy(() => {
    const half = tf.mul(s, 0.5);
    const way = tf.tidy(() => tf.mul(tf.sub(tf.mul(f, 0.5), half), a));
    return tf.mul(tf.add(half, way), 2);
  });
  return tf.where(tf.equal(f, s), s, blend);
}

function inspecting(
  items: readonly Storable[],
  beside: readonly tf.Tensor[],
): Reading<tf.Tensor | null> {
  return nonFiniteIn([...items.map(({ variable }) => variable), ...beside]);
}
