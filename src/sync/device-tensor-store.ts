// Slow weights as tensors on the device, by plain tensor operations on any backend: what Lookahead costs
// without a slow lane, to compare with. Nothing moves and nothing is saved.
//
// In float32: a blend differs from the host's by roundings, and overflows where fast − slow does.

import * as tf from '@tensorflow/tfjs-core';

import { firstNonFinite } from '../engines/finite.js';
import type {
  BlendOptions,
  Blending,
  SlowPart,
  SlowStore,
  StoreBytes,
  StoreClock,
} from '../slow/slow-store.js';
import type { Tracked } from '../lookahead/tracked.js';

export class DeviceTensorStore implements SlowStore<Tracked> {
  readonly description = 'device';
  readonly #clock: StoreClock;
  /** May share its data with the variable: an update of that makes new data, or a copy first. */
  readonly #slow = new Map<Tracked, tf.Tensor>();

  constructor(clock: StoreClock) {
    this.#clock = clock;
  }

  get bytes(): StoreBytes {
    const device = [...this.#slow.keys()].reduce((sum, { size }) => sum + size * 4, 0);
    return { slow: 0, staging: 0, device };
  }

  add(items: readonly Tracked[]): void {
    for (const item of items) this.#put(item, tf.zeros(item.variable.shape));
  }

  isKeptInF32(): boolean {
    return false; // nothing outgrows float32
  }

  keepInF32(): void {}

  prune(isAlive: (item: Tracked) => boolean): void {
    for (const [item, slow] of this.#slow) {
      if (isAlive(item)) continue;
      slow.dispose();
      this.#slow.delete(item);
    }
  }

  async capture(source: ReadonlyMap<tf.Variable, tf.Tensor>): Promise<void> {
    for (const item of this.#slow.keys()) {
      const tensor = source.get(item.variable);
      if (tensor?.isDisposed === false) this.#put(item, tensor.clone());
    }
  }

  async restore(isMeant: (item: Tracked) => boolean): Promise<void> {
    for (const [item, slow] of this.#slow) {
      if (!item.variable.isDisposed && isMeant(item)) item.variable.assign(slow);
    }
  }

  async inspect(items: readonly Tracked[]): Promise<Tracked | null> {
    const bad = await firstNonFinite(items.map(({ variable }) => variable));
    return items.find(({ variable }) => variable === bad) ?? null;
  }

  blend({ stepSizeOf }: BlendOptions<Tracked>): Blending {
    const due = new Set(this.#slow.keys());
    const run = async (): Promise<number> => {
      for (const item of due) {
        if (item.variable.isDisposed) continue;
        await this.#clock.time('blend', () => this.#blend(item, stepSizeOf(item)));
        due.delete(item); // a run that goes on leaves it alone
      }
      return 0;
    };
    return { run };
  }

  async *parts(isMeant: (item: Tracked) => boolean): AsyncGenerator<SlowPart<Tracked>> {
    for (const item of this.#slow.keys()) {
      if (isMeant(item) && item.size > 0) yield { item, start: 0, values: await this.read(item) };
    }
  }

  async read(item: Tracked): Promise<Float32Array> {
    // A copy: on some backends `data` gives the live array.
    return Float32Array.from((await this.#slow.get(item)?.data<'float32'>()) ?? []);
  }

  write(item: Tracked, values: Float32Array): void {
    this.#put(item, tf.tensor(values.slice(), item.variable.shape, 'float32'));
  }

  async ready(): Promise<void> {}

  async yield(): Promise<void> {}

  dispose(): void {
    this.prune(() => false);
  }

  #blend(item: Tracked, stepSize: number): void {
    const slow = this.#slow.get(item);
    if (!slow) return;
    const { variable: fast } = item;
    if (stepSize === 1) {
      this.#put(item, fast.clone());
      return;
    }
    if (stepSize !== 0) {
      // s where f = s, which keeps −0.
      const next = tf.tidy(() =>
        tf.where(tf.equal(fast, slow), slow, tf.add(slow, tf.mul(tf.sub(fast, slow), stepSize))),
      );
      this.#put(item, next);
    }
    fast.assign(this.#slow.get(item) as tf.Tensor);
  }

  /** `tensor` is the store's from now on. */
  #put(item: Tracked, tensor: tf.Tensor): void {
    this.#slow.get(item)?.dispose();
    this.#slow.set(item, tf.keep(tensor));
  }
}
