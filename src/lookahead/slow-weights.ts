// The slow weights of one Lookahead: which variables have some, and the store that keeps them. Knows
// nothing of steps and of when to sync.

import type * as tf from '@tensorflow/tfjs-core';

import type { Device } from '../engine/device.js';
import type {
  BlendOptions,
  Blending,
  SlowParts,
  SlowStore,
  StoreBytes,
} from '../slow/slow-store.js';
import type { Tracked } from './tracked.js';

const NO_BYTES: StoreBytes = { slow: 0, staging: 0, device: 0 };

export class SlowWeights {
  readonly #makeStore: () => SlowStore<Tracked>;
  /** Made with the first variable, on the backend that is the current one then. */
  #store: SlowStore<Tracked> | null = null;
  readonly #tracked = new Map<tf.Variable, Tracked>();

  constructor(makeStore: () => SlowStore<Tracked>) {
    this.#makeStore = makeStore;
  }

  /** All that is tracked, in the order in which it was added. */
  get tracked(): readonly Tracked[] {
    return [...this.#tracked.values()];
  }

  get bytes(): StoreBytes {
    return this.#store?.bytes ?? NO_BYTES;
  }

  /** Where blends run; undefined before there is anything to blend. */
  get description(): string | undefined {
    return this.#store?.description;
  }

  get(variable: tf.Variable): Tracked | undefined {
    return this.#tracked.get(variable);
  }

  /** Makes room for `added`. Their slow values are zero until `capture` or `write`. */
  add(added: readonly Tracked[]): void {
    if (added.length === 0) return;
    this.#store ??= this.#makeStore();
    this.#store.add(added);
    for (const tracked of added) this.#tracked.set(tracked.variable, tracked);
  }

  /** As if `added`, which were added together, had not been. */
  drop(added: readonly Tracked[]): void {
    const dropped = new Set(added);
    for (const { variable } of added) this.#tracked.delete(variable);
    this.#store?.prune((tracked) => !dropped.has(tracked) && !tracked.variable.isDisposed);
  }

  /** True if it outgrew the format of the slow weights and is kept in float32. */
  isKeptInF32(tracked: Tracked): boolean {
    return this.#store?.isKeptInF32(tracked) ?? false;
  }

  /** Lets go of variables that are gone, and of memory that holds nothing else. */
  prune(): void {
    for (const [variable] of this.#tracked) if (variable.isDisposed) this.#tracked.delete(variable);
    this.#store?.prune(({ variable }) => !variable.isDisposed);
  }

  /** Slow := the values of `source`, for the variables that it holds (variable → tensor of its shape). */
  async capture(source: ReadonlyMap<tf.Variable, tf.Tensor>, round: number): Promise<void> {
    await this.#store?.capture(source, round);
  }

  /** Fast := slow for what `isMeant`. May be called again after it failed. */
  async restore(isMeant: (tracked: Tracked) => boolean): Promise<void> {
    await this.#store?.restore(isMeant);
  }

  /** The first of `tracked` whose fast values hold a NaN or an infinity, or null. Before a blend. */
  async inspect(tracked: readonly Tracked[]): Promise<Tracked | null> {
    return (await this.#store?.inspect(tracked)) ?? null;
  }

  /** See `SlowStore`. */
  blend(options: BlendOptions<Tracked>): Blending {
    return this.#store?.blend(options) ?? { run: async () => 0 };
  }

  /** In the order in which they were added. */
  parts(isMeant: (tracked: Tracked) => boolean): SlowParts<Tracked> {
    return this.#store?.parts(isMeant) ?? [];
  }

  /** A copy of the slow values; await `ready` before. */
  read(tracked: Tracked): Float32Array | Promise<Float32Array> {
    return this.#store?.read(tracked) ?? new Float32Array(tracked.size);
  }

  /** For what was added since the last blend. `isKeptInF32`: it is to be kept in float32. */
  write(tracked: Tracked, values: Float32Array, isKeptInF32 = false): void {
    if (isKeptInF32) this.#store?.keepInF32(tracked);
    this.#store?.write(tracked, values);
  }

  /** Waits for what a sync or a capture has left to do. */
  async ready(): Promise<void> {
    await this.#store?.ready();
  }

  /** Lets what goes on in the background have a moment; throws if it failed. */
  async yield(): Promise<void> {
    await this.#store?.yield();
  }

  dispose(): void {
    this.#store?.dispose();
    this.#store = null;
    this.#tracked.clear();
  }
}

/** A copy of the weights in host memory, to put them back. Made anew for each swap. */
export class Stash {
  readonly #values = new Map<tf.Variable, Float32Array>();

  async take(weights: readonly tf.Variable[], device: Device): Promise<void> {
    for (const weight of weights) {
      const values = new Float32Array(weight.size);
      if (weight.size > 0) await device.pull(weight, 0, values);
      this.#values.set(weight, values);
    }
  }

  /** May be called again after it failed. */
  async putBack(device: Device): Promise<void> {
    const writer = device.write();
    try {
      for (const [weight, values] of this.#values) {
        if (weight.isDisposed || weight.size === 0) continue;
        await writer.push(weight, 0, values);
      }
    } finally {
      writer.close();
    }
  }
}
