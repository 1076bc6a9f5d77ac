// Slow weights in host memory, blended there: chunk by chunk from the device to a worker and back.

import type * as tf from '@tensorflow/tfjs-core';

import {
  LARGEST_HALF,
  fitsIn,
  largestIn,
  type ValueFormat,
} from '../../workers/codecs/value-format.js';
import { areWithin, firstNonFinite } from '../engines/finite.js';
import { currentDevice } from '../engines/current-device.js';
import { HostStore, type HostStoreOptions, type StoredChunk, weightOf } from './chunk-memory.js';
import type {
  BlendOptions,
  Blending,
  SlowPart,
  SlowStore,
  Storable,
  StoreBytes,
  StoreClock,
} from '../slow/slow-store.js';
import { valueFormat } from '../slow/slow-format.js';
import type { Blender } from './blender.js';
import { HalfSync } from './half-sync.js';
import { push, Sync } from './chunk-pipeline.js';

const FLOAT_BYTES = 4;
const HALF_BYTES = 2;

export interface HostBlendOptions extends HostStoreOptions {
  readonly blender: Blender;
  readonly clock: StoreClock;
}

export class HostBlendStore<W extends Storable> implements SlowStore<W> {
  readonly #store: HostStore<W>;
  readonly #blender: Blender;
  readonly #clock: StoreClock;
  readonly #keptInF32 = new WeakSet<W>();

  constructor(options: HostBlendOptions) {
    this.#store = new HostStore(options, (item) => this.#formatOf(item));
    this.#blender = options.blender;
    this.#clock = options.clock;
  }

  get bytes(): StoreBytes {
    const crossing = currentDevice().halves ? this.#items() : [];
    const halved = crossing.filter((item) => this.#formatOf(item) === 'f16');
    const largest = halved.reduce((most, { size }) => Math.max(most, size), 0);
    return { ...this.#store.bytes, device: largest * (FLOAT_BYTES + HALF_BYTES) };
  }

  get description(): string {
    const isOnDevice =
      currentDevice().halves !== undefined && this.#items().some(({ slow }) => slow === 'host:f16');
    return isOnDevice ? 'device' : this.#blender.description; // small weights are blended here in any case
  }

  add(items: readonly W[]): void {
    this.#store.add(items);
  }

  isKeptInF32(item: W): boolean {
    return this.#keptInF32.has(item);
  }

  keepInF32(item: W): void {
    if (this.#formatOf(item) === 'f32') return;
    const values = this.read(item);
    this.#keptInF32.add(item);
    try {
      this.#store.move(item, values, { item: item.serial, round: 0 });
    } catch (error) {
      this.#keptInF32.delete(item);
      throw error;
    }
  }

  prune(isAlive: (item: W) => boolean): void {
    this.#store.prune(isAlive);
  }

  async capture(source: ReadonlyMap<tf.Variable, tf.Tensor>, round: number): Promise<void> {
    const device = currentDevice();
    // Disposed: its model is gone.
    const given = (item: W) => {
      const tensor = source.get(item.variable);
      return tensor?.isDisposed === false ? tensor : undefined;
    };
    await this.#outgrowBeyond(this.#items(), given, largestIn);
    for (const { segment, chunk, weights } of this.#store.chunks) {
      for (const part of chunk.parts) {
        const item = weightOf(weights, part.weight);
        const tensor = given(item);
        if (!tensor) continue;
        if (segment.format === 'f32') {
          await device.pull(tensor, part.start, segment.floats(chunk, part));
          continue;
        }
        const values = new Float32Array(part.length);
        await device.pull(tensor, part.start, values);
        segment.write(chunk, part, values, { item: item.serial, round });
      }
    }
  }

  async restore(isMeant: (item: W) => boolean): Promise<void> {
    const writer = currentDevice().write();
    try {
      for (const stored of this.#store.chunks) {
        const { segment, chunk } = stored;
        await push(stored, (part) => segment.values(chunk, part), writer, isMeant);
      }
    } finally {
      writer.close();
    }
  }

  async inspect(items: readonly W[]): Promise<W | null> {
    const bad = await firstNonFinite(items.map(({ variable }) => variable));
    if (bad) return items.find(({ variable }) => variable === bad) ?? null;
    // What is finite has a place in every other format.
    const limitOf = (format: ValueFormat) =>
      largestIn(format) === LARGEST_HALF ? LARGEST_HALF : null;
    await this.#outgrowBeyond(items, ({ variable }) => variable, limitOf);
    return null;
  }

  blend({ stepSizeOf, round }: BlendOptions<W>): Blending {
    const { chunks } = this.#store;
    const { halves } = currentDevice();
    const isHalf = ({ segment }: StoredChunk<W>) =>
      halves !== undefined && segment.format === 'f16';
    const halved = chunks.filter(isHalf);
    const floats = chunks.filter((stored) => !isHalf(stored));
    const sync = new Sync(floats, stepSizeOf, round);
    const halfSync = halves && new HalfSync(halved, stepSizeOf, round, halves);
    let bytes: number | null = null;
    return {
      run: async () => {
        // Not twice: what is pushed again is rounded, and the fast weights keep what rounding takes.
        if (bytes !== null) return bytes;
        const [blender, clock] = [this.#blender, this.#clock];
        await sync.run({ device: currentDevice(), blender, clock });
        await halfSync?.run(clock);
        bytes = FLOAT_BYTES * elementsOf(floats) + HALF_BYTES * elementsOf(halved);
        return bytes;
      },
    };
  }

  *parts(isMeant: (item: W) => boolean): Generator<SlowPart<W>> {
    for (const { segment, chunk, weights } of this.#store.chunks) {
      for (const part of chunk.parts) {
        const item = weightOf(weights, part.weight);
        if (!isMeant(item)) continue;
        yield { item, start: part.start, values: segment.values(chunk, part) };
      }
    }
  }

  read(item: W): Float32Array {
    return this.#store.read(item);
  }

  write(item: W, values: Float32Array): void {
    if (!fitsIn(this.#formatOf(item), values)) this.keepInF32(item);
    this.#store.write(item, values, { item: item.serial, round: 0 });
  }

  async ready(): Promise<void> {}

  async yield(): Promise<void> {}

  dispose(): void {
    this.#store.prune(() => false);
  }

  #formatOf(item: W): ValueFormat {
    if (this.#keptInF32.has(item)) return 'f32';
    return valueFormat(item.slow, { slot: item.slot, shape: item.variable.shape });
  }

  #items(): W[] {
    const items = this.#store.chunks.flatMap(({ chunk, weights }) =>
      chunk.parts.map(({ weight }) => weightOf(weights, weight)),
    );
    return [...new Set(items)];
  }

  /** Keeps those of `items` in float32 that have a value beyond the limit of their format. */
  async #outgrowBeyond(
    items: readonly W[],
    tensorOf: (item: W) => tf.Tensor | undefined,
    limitOf: (format: ValueFormat) => number | null,
  ): Promise<void> {
    const byLimit = new Map<number, { item: W; tensor: tf.Tensor }[]>();
    for (const item of items) {
      const [tensor, format] = [tensorOf(item), this.#formatOf(item)];
      const limit = format === 'f32' ? null : limitOf(format);
      if (!tensor || limit === null) continue;
      byLimit.set(limit, [...(byLimit.get(limit) ?? []), { item, tensor }]);
    }
    for (const [limit, those] of byLimit) {
      const within = await areWithin(
        those.map(({ tensor }) => tensor),
        limit,
      );
      for (const [i, { item }] of those.entries()) if (!within[i]) this.keepInF32(item);
    }
  }
}

function elementsOf<W>(chunks: readonly StoredChunk<W>[]): number {
  const parts = chunks.flatMap(({ chunk }) => chunk.parts); // without their padding
  return parts.reduce((sum, { length }) => sum + length, 0);
}
