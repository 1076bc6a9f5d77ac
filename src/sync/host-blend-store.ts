// Slow weights in host memory, blended there: chunk by chunk from the device to a worker and back.

import type * as tf from '@tensorflow/tfjs-core';

import {
  LARGEST_HALF,
  fitsIn,
  largestIn,
  type ValueFormat,
} from '../../workers/codecs/value-format.js';
import { firstNonFinite } from '../engines/finite.js';
import { currentDevice } from '../engines/current-device.js';
import { HostStore, type HostStoreOptions, type StoredChunk, weightOf } from './chunk-memory.js';
import type {
  BlendOptions,
  Blending,
  SlowPart,
  SlowStore,
  StoreBytes,
  StoreClock,
} from '../slow/slow-store.js';
import { type SlowFormat, valueFormat } from '../slow/slow-format.js';
import type { Blender } from './blender.js';
import { HalfSync } from './half-sync.js';
import { areWithin } from '../engines/magnitudes.js';
import { push, Sync } from './chunk-pipeline.js';
import type { Tracked } from '../lookahead/tracked.js';

const FLOAT_BYTES = 4;
const HALF_BYTES = 2;

export interface HostSlowStoreOptions extends HostStoreOptions {
  readonly format: SlowFormat;
  readonly blender: Blender;
  readonly clock: StoreClock;
}

export class HostBlendStore implements SlowStore<Tracked> {
  readonly #store: HostStore<Tracked>;
  readonly #blender: Blender;
  readonly #clock: StoreClock;
  readonly #format: SlowFormat;
  readonly #keptInF32 = new WeakSet<Tracked>();

  constructor(options: HostSlowStoreOptions) {
    this.#format = options.format;
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
    const isOnDevice = this.#format === 'host:f16' && currentDevice().halves !== undefined;
    return isOnDevice ? 'device' : this.#blender.description; // the small weights in any case
  }

  add(items: readonly Tracked[]): void {
    this.#store.add(items);
  }

  isKeptInF32(item: Tracked): boolean {
    return this.#keptInF32.has(item);
  }

  keepInF32(item: Tracked): void {
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

  prune(isAlive: (item: Tracked) => boolean): void {
    this.#store.prune(isAlive);
  }

  async capture(source: ReadonlyMap<tf.Variable, tf.Tensor>, round: number): Promise<void> {
    const device = currentDevice();
    // Disposed: its model is gone.
    const given = (item: Tracked) => {
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

  async restore(isMeant: (item: Tracked) => boolean): Promise<void> {
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

  async inspect(items: readonly Tracked[]): Promise<Tracked | null> {
    const bad = await firstNonFinite(items.map(({ variable }) => variable));
    if (bad) return items.find(({ variable }) => variable === bad) ?? null;
    // What is finite has a place in every other format.
    const limitOf = (format: ValueFormat) =>
      largestIn(format) === LARGEST_HALF ? LARGEST_HALF : null;
    await this.#outgrowBeyond(items, ({ variable }) => variable, limitOf);
    return null;
  }

  blend({ stepSizeOf, round }: BlendOptions<Tracked>): Blending {
    const { chunks } = this.#store;
    const { halves } = currentDevice();
    const isHalf = ({ segment }: StoredChunk<Tracked>) =>
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

  *parts(isMeant: (item: Tracked) => boolean): Generator<SlowPart<Tracked>> {
    for (const { segment, chunk, weights } of this.#store.chunks) {
      for (const part of chunk.parts) {
        const item = weightOf(weights, part.weight);
        if (!isMeant(item)) continue;
        yield { item, start: part.start, values: segment.values(chunk, part) };
      }
    }
  }

  read(item: Tracked): Float32Array {
    return this.#store.read(item);
  }

  write(item: Tracked, values: Float32Array): void {
    if (!fitsIn(this.#formatOf(item), values)) this.keepInF32(item);
    this.#store.write(item, values, { item: item.serial, round: 0 });
  }

  async ready(): Promise<void> {}

  async yield(): Promise<void> {}

  dispose(): void {
    this.#store.prune(() => false);
  }

  #formatOf(item: Tracked): ValueFormat {
    if (this.#keptInF32.has(item)) return 'f32';
    return valueFormat(this.#format, { slot: item.slot, shape: item.variable.shape });
  }

  #items(): Tracked[] {
    const items = this.#store.chunks.flatMap(({ chunk, weights }) =>
      chunk.parts.map(({ weight }) => weightOf(weights, weight)),
    );
    return [...new Set(items)];
  }

  /** Keeps those of `items` in float32 that have a value beyond the limit of their format. */
  async #outgrowBeyond(
    items: readonly Tracked[],
    tensorOf: (item: Tracked) => tf.Tensor | undefined,
    limitOf: (format: ValueFormat) => number | null,
  ): Promise<void> {
    const packed = items.filter((item) => this.#formatOf(item) !== 'f32' && tensorOf(item));
    const [first] = packed;
    const limit = first && limitOf(this.#formatOf(first)); // a store packs in one format
    if (limit === undefined || limit === null) return;
    const within = await areWithin(packed.map(tensorOf) as tf.Tensor[], limit);
    for (const [i, item] of packed.entries()) if (!within[i]) this.keepInF32(item);
  }
}

function elementsOf(chunks: readonly StoredChunk<Tracked>[]): number {
  const parts = chunks.flatMap(({ chunk }) => chunk.parts); // without their padding
  return parts.reduce((sum, { length }) => sum + length, 0);
}
