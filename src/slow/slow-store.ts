// Where slow weights are kept, and how they meet the fast ones: the contract of every kind of store.
//
// A store knows values, not time: its caller decides when to sync, and with which step size.

import type * as tf from '@tensorflow/tfjs-core';

import type { ValueFormat } from '../../workers/codecs/value-format.js';
import { type SlowFormat, valueFormat } from './slow-format.js';

/** A variable that has slow values: a weight, or a slot of one in the inner optimizer. */
export interface Storable {
  readonly variable: tf.Variable;
  /** Number of elements. */
  readonly size: number;
  /** Null: a weight. Else which slot of one. */
  readonly slot: number | null;
  /** Unique among the items of a store. Random rounding draws by it. */
  readonly serial: number;
  /** Where its slow values are kept, and in which precision. */
  readonly slow: SlowFormat;
  /** True once a value did not fit its format. A store sets it, and keeps the item in float32 from then on. */
  isKeptInF32: boolean;
}

/** The format in which the slow values of `item` are stored. */
export function formatOf({ slow, slot, variable, isKeptInF32 }: Storable): ValueFormat {
  return isKeptInF32 ? 'f32' : valueFormat(slow, { slot, shape: variable.shape });
}

export interface BlendOptions<W> {
  /**
   * The paper's α. null: the item keeps its slow value, and its variable is not touched. Must not change its answer,
   * since a blend may be run again.
   */
  readonly stepSizeOf: (item: W) => number | null;
  /** Inner steps so far: random rounding draws other numbers in each round, and the same in a run that is repeated. */
  readonly round: number;
}

export interface Blending {
  /**
   * Resolves to the bytes that were copied from the device, and as many back. May be called again, to
   * go on after it failed; after it succeeded that changes nothing.
   */
  run(): Promise<number>;

  /** The same without waiting, where the store has `atOnce`. */
  runAtOnce?(): number;
}

/** A run of elements of one variable, with their slow values: a view that is valid until the next part, read-only. */
export interface SlowPart<W> {
  readonly item: W;
  /** First element within the variable. */
  readonly start: number;
  readonly values: Float32Array;
}

/** At once where slow values are on the host. `for await` takes both. */
export type SlowParts<W> = Iterable<SlowPart<W>> | AsyncIterable<SlowPart<W>>;

export interface StoreBytes {
  /** Slow weights as they are stored. */
  readonly slow: number;
  /** Host memory that the store needs besides. */
  readonly staging: number;
  /** Device memory: the peak of a sync's staging, and slow weights that are kept on the device. */
  readonly device: number;
}

/** What a sync did, in the main thread's time. `wait`: until the slow weights were there. */
export type StorePhase = 'wait' | 'pull' | 'blend' | 'push' | 'readback';

export interface StoreClock {
  /** Runs `work` and adds its time to `phase`. */
  time<T>(phase: StorePhase, work: () => T | Promise<T>): Promise<T>;
  /** Adds time that was measured elsewhere. */
  add(phase: StorePhase, elapsedMs: number): void;
}

/** The same as in `SlowStore`, done when it returns. */
export interface StoreAtOnce<W> {
  inspect(items: readonly W[], beside: readonly tf.Tensor[]): tf.Tensor | null;
  restore(isMeant: (item: W) => boolean): void;
}

/**
 * Calls come one at a time. What a call has begun may go on after it has resolved; the next call that
 * needs the result waits for it, and throws if it failed.
 */
export interface SlowStore<W extends Storable> {
  readonly bytes: StoreBytes;
  /** Where blends run: `'2 workers'`, `'inline'`, `'device'`. */
  readonly description: string;

  /** Makes room for all of `items`, or for none if it throws. Their slow values are zero until `capture` or `write`. */
  add(items: readonly W[]): void;

  /** Frees memory that holds no item that is alive. */
  prune(isAlive: (item: W) => boolean): void;

  /**
   * Slow := fast for `items`, as their variables are now, whatever changes them after the call: just before a step, where
   * nobody can wait. Takes no device memory. A `capture` has to follow, which waits for what the device still has to copy.
   * Returns those of `items` that it cannot read without waiting. If it throws, nothing is taken.
   */
  take(items: readonly W[], round: number): readonly W[];

  /**
   * Slow := the values of `source`, for the variables that it holds, and what was taken of others. May be called again
   * after it failed. Those that hold a NaN or an infinity keep the slow values that they have; resolves to their variables.
   */
  capture(
    source: ReadonlyMap<tf.Variable, tf.Tensor>,
    round: number,
  ): Promise<readonly tf.Variable[]>;

  /** Fast := slow for what `isMeant`. May be called again after it failed. */
  restore(isMeant: (item: W) => boolean): Promise<void>;

  /**
   * Looks at the fast values before a blend, and at `beside`, in one readback: resolves to the first variable of `items`, or
   * tensor beside them, with a NaN or an infinity, or null. Where values outgrew the format, it makes room for them.
   */
  inspect(items: readonly W[], beside: readonly tf.Tensor[]): Promise<tf.Tensor | null>;

  /** What a sync needs of it besides, without waiting. null: this store has to wait. */
  readonly atOnce: StoreAtOnce<W> | null;

  /** slow ← slow + α(fast − slow), fast ← slow, once `run` is called. */
  blend(options: BlendOptions<W>): Blending;

  /** All parts of what `isMeant`, in the order in which they were added. */
  parts(isMeant: (item: W) => boolean): SlowParts<W>;

  /** A copy of the slow values; call `ready` before. */
  read(item: W): Float32Array | Promise<Float32Array>;

  /**
   * A copy of the slow values once all that was begun is over, well or not: those of the last blend that came back. Where they
   * are on the host, the device is not asked, and may be lost. Rejects with DEVICE_LOST or DEVICE_FAILED if they went with it.
   */
  kept(item: W): Promise<Float32Array>;

  /** Gives slow values to an item that was added since the last blend. */
  write(item: W, values: Float32Array): void;

  /** Waits for what earlier calls began. Rejects if it failed. */
  ready(): Promise<void>;

  /** Gives background work one turn of the event loop. Throws if that work failed. */
  yield(): Promise<void>;

  /** Frees everything. */
  dispose(): void;
}
