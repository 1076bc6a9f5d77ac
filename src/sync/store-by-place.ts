// The store of all slow weights of one Lookahead: 'device:f32' as tensors on the device, the others where the engine
// of the current backend blends them, or on the host. Each of the two is made when its first item is added.

import * as tf from '@tensorflow/tfjs-core';

import { engineOf, type StoreOptions } from '../engine/engine.js';
import type {
  BlendOptions,
  Blending,
  SlowPart,
  SlowStore,
  Storable,
  StoreAtOnce,
  StoreBytes,
} from '../slow/slow-store.js';
import { DeviceTensorStore } from './device-tensor-store.js';
import { type HostBlendOptions, HostBlendStore } from './host-blend-store.js';

type Place = 'host' | 'device';

export interface SlowStoreOptions extends StoreOptions, HostBlendOptions {}

export class StoreByPlace<W extends Storable> implements SlowStore<W> {
  readonly #options: SlowStoreOptions;
  readonly #stores = new Map<Place, SlowStore<W>>();

  constructor(options: SlowStoreOptions) {
    this.#options = options;
  }

  get bytes(): StoreBytes {
    const sum = { slow: 0, staging: 0, device: 0 };
    for (const { bytes } of this.#all) {
      sum.slow += bytes.slow;
      sum.staging += bytes.staging;
      sum.device += bytes.device;
    }
    return sum;
  }

  get description(): string {
    const all = new Set(this.#all.map(({ description }) => description));
    return all.size === 0 ? this.#options.blender.description : [...all].join(' and ');
  }

  add(items: readonly W[]): void {
    try {
      for (const place of new Set(items.map(placeOf))) {
        const store = this.#stores.get(place) ?? this.#make(place);
        this.#stores.set(place, store);
        store.add(items.filter((item) => placeOf(item) === place));
      }
    } catch (cause) {
      const added = new Set(items);
      this.prune((item) => !added.has(item));
      throw cause;
    }
  }

  prune(isAlive: (item: W) => boolean): void {
    for (const store of this.#all) store.prune(isAlive);
  }

  take(items: readonly W[], round: number): readonly W[] {
    return [...this.#stores].flatMap(([place, store]) =>
      store.take(
        items.filter((item) => placeOf(item) === place),
        round,
      ),
    );
  }

  async capture(
    source: ReadonlyMap<tf.Variable, tf.Tensor>,
    round: number,
  ): Promise<readonly tf.Variable[]> {
    const bad: tf.Variable[] = [];
    for (const store of this.#all) bad.push(...(await store.capture(source, round)));
    return bad;
  }

  async restore(isMeant: (item: W) => boolean): Promise<void> {
    for (const store of this.#all) await store.restore(isMeant);
  }

  async inspect(items: readonly W[], beside: readonly tf.Tensor[]): Promise<tf.Tensor | null> {
    for (const { store, own, others } of this.#shares(items, beside)) {
      const bad = await store.inspect(own, others);
      if (bad !== null) return bad;
    }
    return null;
  }

  get atOnce(): StoreAtOnce<W> | null {
    if (this.#all.some(({ atOnce }) => atOnce === null)) return null;
    return {
      inspect: (items, beside) => {
        for (const { store, own, others } of this.#shares(items, beside)) {
          const bad = store.atOnce?.inspect(own, others) ?? null;
          if (bad !== null) return bad;
        }
        return null;
      },
      restore: (isMeant) => {
        for (const { atOnce } of this.#all) atOnce?.restore(isMeant);
      },
    };
  }

  blend(options: BlendOptions<W>): Blending {
    const blendings = this.#all.map((store) => store.blend(options));
    return {
      runAtOnce: () => {
        let bytes = 0;
        for (const blending of blendings) bytes += blending.runAtOnce?.() ?? 0;
        return bytes;
      },
      run: async () => {
        let bytes = 0;
        for (const blending of blendings) bytes += await blending.run();
        return bytes;
      },
    };
  }

  async *parts(isMeant: (item: W) => boolean): AsyncGenerator<SlowPart<W>> {
    for (const store of this.#all) yield* store.parts(isMeant);
  }

  read(item: W): Float32Array | Promise<Float32Array> {
    return this.#of(item).read(item);
  }

  kept(item: W): Promise<Float32Array> {
    return this.#of(item).kept(item);
  }

  write(item: W, values: Float32Array): void {
    this.#of(item).write(item, values);
  }

  async ready(): Promise<void> {
    for (const store of this.#all) await store.ready();
  }

  async yield(): Promise<void> {
    for (const store of this.#all) await store.yield();
  }

  dispose(): void {
    for (const store of this.#all) store.dispose();
    this.#stores.clear();
  }

  /** What each store inspects: its own items, and the last one what is beside all of them. */
  #shares(items: readonly W[], beside: readonly tf.Tensor[]) {
    const last = this.#stores.size - 1;
    return [...this.#stores].map(([place, store], i) => {
      const own = items.filter((item) => placeOf(item) === place);
      return { store, own, others: i === last ? beside : [] };
    });
  }

  get #all(): SlowStore<W>[] {
    return [...this.#stores.values()];
  }

  #of(item: W): SlowStore<W> {
    const store = this.#stores.get(placeOf(item));
    if (!store) throw new Error(`'${item.variable.name}' was not added to this store.`);
    return store;
  }

  #make(place: Place): SlowStore<W> {
    if (place === 'device') return new DeviceTensorStore(this.#options.clock);
    return (
      engineOf(tf.backend())?.slowStore?.<W>(this.#options) ?? new HostBlendStore(this.#options)
    );
  }
}

function placeOf({ slow }: Storable): Place {
  return slow === 'device:f32' ? 'device' : 'host';
}
