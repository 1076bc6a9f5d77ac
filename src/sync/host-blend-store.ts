// Slow weights in host memory, blended there: chunk by chunk from the device to a worker and back.

import type * as tf from '@tensorflow/tfjs-core';

import {
  LARGEST_HALF,
  fitsIn,
  largestIn,
  type ValueFormat,
} from '../../workers/codecs/value-format.js';
import { areWithin, atOnce, awaited, nonFiniteIn, type Reading } from '../engines/finite.js';
import { badIn } from './bad-sources.js';
import type { Part } from '../slow/layout.js';
import { isGone } from '../tfjs/variables.js';
import { currentDevice } from '../engines/current-device.js';
import { HostStore, type HostStoreOptions, type StoredChunk } from './chunk-memory.js';
import {
  type BlendOptions,
  type Blending,
  formatOf,
  type SlowPart,
  type SlowStore,
  type Storable,
  type StoreAtOnce,
  type StoreBytes,
  type StoreClock,
} from '../slow/slow-store.js';
import type { Blender } from './blender.js';
import { HalfSync } from './half-sync.js';
import { Sync, type SyncTools } from './chunk-pipeline.js';

const FLOAT_BYTES = 4;
const HALF_BYTES = 2;
/** A chunk whose fast and slow weights stay in a processor's second cache on their way. */
const CACHED_BYTES = 2 ** 17;

export interface HostBlendOptions extends HostStoreOptions {
  readonly blender: Blender;
  readonly clock: StoreClock;
}

export class HostBlendStore<W extends Storable> implements SlowStore<W> {
  readonly #store: HostStore<W>;
  readonly #blender: Blender;
  readonly #clock: StoreClock;

  constructor(options: HostBlendOptions) {
    const { chunkBytes } = options;
    const isNear = currentDevice().isHostMemory === true;
    this.#store = new HostStore({
      ...options,
      ...(isNear && { chunkBytes: Math.min(chunkBytes, CACHED_BYTES), isForThreads: false }),
    });
    this.#blender = options.blender;
    this.#clock = options.clock;
  }

  get bytes(): StoreBytes {
    const crossing = currentDevice().halves ? this.#items() : [];
    const halved = crossing.filter((item) => formatOf(item) === 'f16');
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

  prune(isAlive: (item: W) => boolean): void {
    this.#store.prune(isAlive);
  }

  take(items: readonly W[], round: number): readonly W[] {
    const device = currentDevice();
    if (device.pullsAtOnce !== true) return items;
    for (const item of items) {
      const values = new Float32Array(item.size);
      void device.pull(item.variable, 0, values);
      this.#put(item, values, round);
    }
    return [];
  }

  async capture(
    source: ReadonlyMap<tf.Variable, tf.Tensor>,
    round: number,
  ): Promise<readonly tf.Variable[]> {
    const device = currentDevice();
    const bad = await badIn(source, this.#items());
    // Disposed: its model is gone.
    const given = (item: W) => {
      const tensor = source.get(item.variable);
      return tensor && !isGone(tensor) && !bad.includes(item.variable) ? tensor : undefined;
    };
    this.#outgrow(await awaited(this.#fitting(this.#items(), given, largestIn)));
    for (const [chunk, part] of this.#store.places(() => true)) {
      const { segment } = chunk;
      const tensor = given(part.item);
      if (!tensor) continue;
      if (segment.format === 'f32') {
        await device.pull(tensor, part.start, segment.floats(chunk, part));
        continue;
      }
      const values = new Float32Array(part.length);
      await device.pull(tensor, part.start, values);
      segment.write(chunk, part, values, { item: part.item.serial, round });
    }
    return bad;
  }

  get atOnce(): StoreAtOnce<W> | null {
    const { pullsAtOnce, halves } = currentDevice();
    if (pullsAtOnce !== true || halves !== undefined) return null;
    return {
      inspect: (items, beside) => atOnce(this.#inspecting(items, beside)),
      restore: (isMeant) => {
        const writer = currentDevice().write();
        for (const { item, start, values } of this.parts(isMeant)) {
          if (!isGone(item.variable)) void writer.push(item.variable, start, values);
        }
      },
    };
  }

  async restore(isMeant: (item: W) => boolean): Promise<void> {
    const writer = currentDevice().write();
    for (const { item, start, values } of this.parts(isMeant)) {
      if (!isGone(item.variable)) await writer.push(item.variable, start, values);
    }
  }

  inspect(items: readonly W[], beside: readonly tf.Tensor[]): Promise<tf.Tensor | null> {
    return awaited(this.#inspecting(items, beside));
  }

  *#inspecting(items: readonly W[], beside: readonly tf.Tensor[]): Reading<tf.Tensor | null> {
    // What is finite has a place in every other format.
    const limitOf = (format: ValueFormat) =>
      largestIn(format) === LARGEST_HALF ? LARGEST_HALF : null;
    const fits = yield* this.#fitting(items, ({ variable }) => variable, limitOf);
    // What fits is finite, and is not looked at twice.
    const open = items.filter((item) => fits.get(item) !== true);
    const bad = yield* nonFiniteIn([...open.map(({ variable }) => variable), ...beside]);
    if (bad) return bad;
    this.#outgrow(fits);
    return null;
  }

  blend(options: BlendOptions<W>): Blending {
    const isDue = ({ item }: Part<W>) => options.stepSizeOf(item) !== null;
    const chunks = this.#store.chunks.filter(({ parts }) => parts.some(isDue));
    const { halves } = currentDevice();
    const isHalf = ({ segment }: StoredChunk<W>) =>
      halves !== undefined && segment.format === 'f16';
    const halved = chunks.filter(isHalf);
    const floats = chunks.filter((stored) => !isHalf(stored));
    const sync = new Sync(floats, options);
    const halfSync = halves && new HalfSync(halved, options, halves);
    let bytes: number | null = null;
    return {
      run: async () => {
        // Not twice: what is pushed again is rounded, and the fast weights keep what rounding takes.
        if (bytes !== null) return bytes;
        const tools = this.#tools();
        const { device, blender, clock } = tools;
        if (device.pullsAtOnce && floats.every(({ length }) => blender.runsInline(length))) {
          sync.runAtOnce(tools);
        } else await sync.run(tools);
        await halfSync?.run(clock);
        bytes = FLOAT_BYTES * elementsOf(floats, isDue) + HALF_BYTES * elementsOf(halved, isDue);
        return bytes;
      },
      runAtOnce: () => {
        if (bytes === null) {
          sync.runAtOnce(this.#tools());
          bytes = FLOAT_BYTES * elementsOf(floats, isDue);
        }
        return bytes;
      },
    };
  }

  *parts(isMeant: (item: W) => boolean): Generator<SlowPart<W>> {
    for (const [chunk, part] of this.#store.places(isMeant)) {
      const { item, start } = part;
      yield { item, start, values: chunk.segment.values(chunk, part) };
    }
  }

  read(item: W): Float32Array {
    const all = new Float32Array(item.size);
    for (const { start, values } of this.parts((other) => other === item)) all.set(values, start);
    return all;
  }

  async kept(item: W): Promise<Float32Array> {
    return this.read(item);
  }

  write(item: W, values: Float32Array): void {
    this.#put(item, values, 0);
  }

  async ready(): Promise<void> {}

  async yield(): Promise<void> {}

  dispose(): void {
    this.#store.prune(() => false);
  }

  #tools(): SyncTools {
    return { device: currentDevice(), blender: this.#blender, clock: this.#clock };
  }

  #items(): W[] {
    return [...new Set(this.#store.chunks.flatMap(({ parts }) => parts.map(({ item }) => item)))];
  }

  #put(item: W, values: Float32Array, round: number): void {
    if (!fitsIn(formatOf(item), values)) this.#keepInF32(item);
    for (const [chunk, part] of this.#store.places((other) => other === item)) {
      const own = values.subarray(part.start, part.start + part.length);
      chunk.segment.write(chunk, part, own, { item: item.serial, round });
    }
  }

  #keepInF32(item: W): void {
    const values = this.read(item);
    item.isKeptInF32 = true;
    try {
      this.#store.move(item);
    } catch (error) {
      item.isKeptInF32 = false;
      throw error;
    }
    this.write(item, values);
  }

  /** For each of `items` whose format has a limit, whether all its values are within that. */
  *#fitting(
    items: readonly W[],
    tensorOf: (item: W) => tf.Tensor | undefined,
    limitOf: (format: ValueFormat) => number | null,
  ): Reading<ReadonlyMap<W, boolean>> {
    const byLimit = new Map<number, { item: W; tensor: tf.Tensor }[]>();
    for (const item of items) {
      const [tensor, format] = [tensorOf(item), formatOf(item)];
      const limit = format === 'f32' ? null : limitOf(format);
      if (!tensor || limit === null) continue;
      byLimit.set(limit, [...(byLimit.get(limit) ?? []), { item, tensor }]);
    }
    const fits = new Map<W, boolean>();
    for (const [limit, those] of byLimit) {
      const within = yield* areWithin(
        those.map(({ tensor }) => tensor),
        limit,
      );
      for (const [i, { item }] of those.entries()) fits.set(item, within[i] === true);
    }
    return fits;
  }

  /** Keeps those in float32 that do not fit. */
  #outgrow(fits: ReadonlyMap<W, boolean>): void {
    for (const [item, isFitting] of fits) if (!isFitting) this.#keepInF32(item);
  }
}

function elementsOf<W>(
  chunks: readonly StoredChunk<W>[],
  isMeant: (part: Part<W>) => boolean,
): number {
  const parts = chunks.flatMap((chunk) => chunk.parts.filter(isMeant)); // without their padding
  return parts.reduce((sum, { length }) => sum + length, 0);
}
