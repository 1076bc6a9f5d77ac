// Slow weights in host memory, blended there: chunk by chunk from the device to a worker and back.

import type * as tf from '@tensorflow/tfjs-core';

import { firstNonFinite } from '../device/finite.js';
import { currentDevice } from '../device/pick.js';
import {
  HostStore,
  type HostStoreOptions,
  type StoredChunk,
  weightOf,
} from '../slow/host-store.js';
import type {
  BlendOptions,
  Blending,
  SlowPart,
  SlowStore,
  StoreBytes,
  StoreClock,
} from '../slow/slow-store.js';
import type { Blender } from './blender.js';
import { push, Sync } from './sync.js';
import type { Tracked } from './tracked.js';

const FLOAT_BYTES = 4;

export interface HostSlowStoreOptions extends HostStoreOptions {
  readonly blender: Blender;
  readonly clock: StoreClock;
}

export class HostSlowStore implements SlowStore<Tracked> {
  readonly #store: HostStore<Tracked>;
  readonly #blender: Blender;
  readonly #clock: StoreClock;

  constructor(options: HostSlowStoreOptions) {
    this.#store = new HostStore(options);
    this.#blender = options.blender;
    this.#clock = options.clock;
  }

  get bytes(): StoreBytes {
    return { ...this.#store.bytes, device: 0 };
  }

  get description(): string {
    return this.#blender.description;
  }

  add(items: readonly Tracked[]): void {
    this.#store.add(items);
  }

  isOutgrown(): boolean {
    return false; // nothing outgrows float32
  }

  outgrow(): void {}

  prune(isAlive: (item: Tracked) => boolean): void {
    this.#store.prune(isAlive);
  }

  async capture(source: ReadonlyMap<tf.Variable, tf.Tensor>): Promise<void> {
    const device = currentDevice();
    for (const { segment, chunk, weights } of this.#store.chunks) {
      for (const { weight, start, length, offset } of chunk.parts) {
        const tensor = source.get(weightOf(weights, weight).variable);
        if (!tensor || tensor.isDisposed) continue; // disposed: its model is gone
        await device.pull(tensor, start, segment.slow(chunk).subarray(offset, offset + length));
      }
    }
  }

  async restore(isMeant: (item: Tracked) => boolean): Promise<void> {
    const writer = currentDevice().write();
    try {
      for (const stored of this.#store.chunks) {
        await push(stored, stored.segment.slow(stored.chunk), writer, isMeant);
      }
    } finally {
      writer.close();
    }
  }

  async inspect(items: readonly Tracked[]): Promise<Tracked | null> {
    const bad = await firstNonFinite(items.map(({ variable }) => variable));
    return items.find(({ variable }) => variable === bad) ?? null;
  }

  blend({ isDue, stepSizeOf }: BlendOptions<Tracked>): Blending {
    const chunks = this.#chunksOf(isDue);
    const sync = new Sync(chunks, stepSizeOf);
    return {
      run: async () => {
        await sync.run({ device: currentDevice(), blender: this.#blender, clock: this.#clock });
        return chunks.reduce((sum, { chunk }) => sum + chunk.length, 0) * FLOAT_BYTES;
      },
    };
  }

  *parts(isMeant: (item: Tracked) => boolean): Generator<SlowPart<Tracked>> {
    for (const { segment, chunk, weights } of this.#store.chunks) {
      for (const { weight, start, length, offset } of chunk.parts) {
        const item = weightOf(weights, weight);
        if (!isMeant(item)) continue;
        yield { item, start, values: segment.slow(chunk).subarray(offset, offset + length) };
      }
    }
  }

  read(item: Tracked): Float32Array {
    return this.#store.read(item);
  }

  write(item: Tracked, values: Float32Array): void {
    this.#store.write(item, values);
  }

  async ready(): Promise<void> {}

  async breathe(): Promise<void> {}

  dispose(): void {
    this.#store.prune(() => false);
  }

  /** In layout order. A chunk holds only what was added together. */
  #chunksOf(isDue: (item: Tracked) => boolean): readonly StoredChunk<Tracked>[] {
    return this.#store.chunks.filter(({ chunk, weights }) => {
      const [first] = chunk.parts;
      return first !== undefined && isDue(weightOf(weights, first.weight));
    });
  }
}
