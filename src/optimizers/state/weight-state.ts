/**
 * The state of one weight: the tensors of its rule, and the steps it has taken.
 *
 * Tensors are float32, of the weight's shape, or quantized (`formula/quantization.ts`): int32 words for each,
 * and one float32 tensor with the scales of all, because a shader sees eight buffers at most. They stay on
 * the device, or wait in host memory and are uploaded for each update.
 *
 * Variables are named after the weight, as the breakdown of device memory expects.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { OffloadedState } from '../../engine/offloaded-state.js';
import { engineOf } from '../../engine/engine.js';
import { BLOCK_WORDS, type QuantizedKind, blocksOf } from '../../formula/quantization.js';
import { dequantizeNumbers, quantizeNumbers } from '../../formula/quantized-numbers.js';
import { checkExactIntegers } from '../../formula/quantized-tensors.js';
import type { StateSpec } from '../../formula/update-rule.js';
import type { StateVariables } from '../../formula/weight-update.js';
import { hostTensor } from '../../tfjs/host-tensor.js';
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import type { StateTensor } from '../inner-optimizer.js';
import type { StateStorage } from '../step-options.js';
import type { Replacement } from './replacement.js';
import { DeviceTensor, HostTensor, type StoredTensor } from './stored-tensor.js';

/** Values of a weight's state, to be saved. */
export interface HeldState {
  /** In float32, in the order of the rule: live variables, or host tensors. */
  read(): Promise<readonly NamedTensor[]>;
  dispose(): void;
}

type Make = () => tf.Tensor;

interface Contents {
  readonly tensors: ReadonlyMap<string, Make>;
  /** null: not quantized. */
  readonly scales: Make | null;
}

export class WeightState {
  readonly weight: tf.Variable;
  readonly storage: StateStorage;
  /** Steps this weight has taken, for its bias corrections. */
  steps = 0;
  readonly #specs: readonly StateSpec[];
  readonly #kinds: ReadonlyMap<string, QuantizedKind>;
  /** null: on the device. */
  readonly #host: OffloadedState | null;
  /** In the order of the rule. */
  readonly #tensors: StoredTensor[] = [];
  /** One row for each of `#tensors`; null: they are float32. */
  #scales: StoredTensor | null = null;
  #uploaded: StateVariables | null = null;

  /**
   * @param host Keeps the tensors in host memory. null: they stay on the device, or all memory is host memory.
   * @param from Their first values, one float32 tensor each, which stay the caller's. The host must have the
   *   values, except of tensors that are neither quantized nor on the host. Default: fresh state.
   */
  constructor(
    weight: tf.Variable,
    specs: readonly StateSpec[],
    { storage, host }: { readonly storage: StateStorage; readonly host: OffloadedState | null },
    from?: readonly tf.Tensor[],
  ) {
    this.weight = weight;
    this.storage = storage;
    this.#specs = specs;
    this.#host = host;
    this.#kinds = new Map(
      specs.map(({ name, neverNegative }) => [name, neverNegative ? 'positive' : 'signed']),
    );
    if (this.isQuantized && host === null && engineOf(tf.backend())?.update === undefined) {
      checkExactIntegers();
    }
    const { scales, tensors } = this.#contents(from);
    try {
      if (scales !== null) this.#scales = this.#store('scales', scales);
      for (const [name, make] of tensors) this.#tensors.push(this.#store(name, make));
    } catch (error) {
      this.dispose(); // there was no memory for all of them
      throw error;
    }
  }

  get isQuantized(): boolean {
    return this.storage.isQuantized;
  }

  /** An update follows: uploads what waits on the host. */
  prepare(): void {
    this.#uploaded ??= this.#upload();
  }

  /** Runs `work`, which updates the tensors in place. */
  use<T>(work: (variables: StateVariables) => T): T {
    this.prepare();
    try {
      return work(this.#uploaded as StateVariables);
    } finally {
      this.release();
    }
  }

  /** Ends what `prepare` began, whether an update followed or not. */
  release(): void {
    this.#uploaded = null;
    for (const tensor of this.#all()) tensor.download();
  }

  /** Replaces all values by fresh ones. */
  reset(): void {
    // One at a time, so that none shares its data at the next update: that would cost a copy.
    const { scales, tensors } = this.#contents(undefined);
    for (const [s, make] of [...tensors.values()].entries()) {
      tf.tidy(() => this.#tensors[s]?.write(make()));
    }
    if (scales !== null) tf.tidy(() => this.#scales?.write(scales()));
  }

  /** Makes new values, which may fail, and replaces all when they are committed; `from` as in the constructor. */
  replace(from?: readonly tf.Tensor[]): Replacement {
    const { scales, tensors } = this.#contents(from);
    const made: { readonly into: StoredTensor | null | undefined; readonly values: tf.Tensor }[] =
      [];
    const dispose = () => tf.dispose(made.map(({ values }) => values));
    const add = (into: StoredTensor | null | undefined, make: Make) =>
      made.push({ into, values: tf.tidy(() => tf.keep(make().clone())) });
    try {
      for (const [s, make] of [...tensors.values()].entries()) add(this.#tensors[s], make);
      if (scales !== null) add(this.#scales, scales);
    } catch (cause) {
      dispose();
      throw cause;
    }
    const commit = () => {
      for (const { into, values } of made) into?.write(values);
      dispose();
    };
    return { commit, dispose };
  }

  /** What is on the device between steps: the tensors, or their scales. */
  list(): StateTensor[] {
    const { weight } = this;
    const listed = (
      tensor: StoredTensor | undefined,
      initial: number,
      slots: readonly string[],
    ): StateTensor[] =>
      tensor instanceof DeviceTensor ? [{ variable: tensor.variable, weight, slots, initial }] : [];
    if (this.#scales !== null) return listed(this.#scales, 0, [...this.#kinds.keys()]);
    return this.#specs.flatMap(({ name, initial }, s) => listed(this.#tensors[s], initial, [name]));
  }

  /** The first with a NaN or an infinity among what is on the host. Scales are finite only if all values are. */
  async badSlotOnHost(): Promise<string | null> {
    const looked = this.#scales === null ? this.#tensors : [this.#scales];
    for (const [s, tensor] of looked.entries()) {
      const at = tensor instanceof HostTensor ? await tensor.firstNonFinite() : -1;
      if (at < 0) continue;
      const row = this.#scales === null ? s : Math.floor(at / blocksOf(this.weight.size));
      return this.#specs[row]?.name ?? '';
    }
    return null;
  }

  /** Takes hold of quantized and offloaded values as they are now. Others are the live variables. */
  hold(): HeldState {
    const { size, shape, name: weightName } = this.weight;
    const named = (s: number) => `${weightName}/${this.#specs[s]?.name ?? ''}`;
    if (!this.isQuantized && this.#host === null) {
      const live = this.list().map(({ variable }, s) => ({ name: named(s), tensor: variable }));
      return { read: () => Promise.resolve(live), dispose: () => undefined };
    }
    const blocks = blocksOf(size);
    const scales = this.#scales?.hold();
    const held = this.#tensors.map((tensor) => tensor.hold());
    const kinds = [...this.#kinds.values()];
    return {
      async read() {
        const saved: NamedTensor[] = [];
        const allScales = await scales?.read();
        // One after the other: reading takes staging memory on the device.
        for (const [s, tensor] of held.entries()) {
          const stored = await tensor.read();
          const own = allScales?.subarray(s * blocks, (s + 1) * blocks);
          const values =
            own === undefined
              ? stored
              : dequantizeNumbers(
                  kinds[s] ?? 'signed',
                  stored as Int32Array,
                  own as Float32Array,
                  size,
                );
          saved.push({ name: named(s), tensor: hostTensor(values, shape) });
        }
        return saved;
      },
      dispose: () => {
        for (const tensor of [...held, ...(scales === undefined ? [] : [scales])]) tensor.dispose();
      },
    };
  }

  dispose(): void {
    for (const tensor of this.#all()) tensor.dispose();
  }

  #upload(): StateVariables {
    try {
      const uploaded = this.#tensors.map((tensor) => tensor.upload());
      const names = this.#specs.map(({ name }) => name);
      const state = new Map(uploaded.map((variable, s) => [names[s] ?? '', variable]));
      const scales = this.#scales?.upload();
      return { state, quantized: scales === undefined ? null : { scales, kinds: this.#kinds } };
    } catch (error) {
      for (const tensor of this.#all()) tensor.download();
      throw error;
    }
  }

  #all(): StoredTensor[] {
    return [...this.#tensors, ...(this.#scales === null ? [] : [this.#scales])];
  }

  #store(name: string, make: () => tf.Tensor): StoredTensor {
    const fullName = `${this.weight.name}/${name}`;
    const host = this.#host;
    if (host === null) return new DeviceTensor(fullName, make);
    const values = tf.tidy(() => make().clone());
    try {
      const stored = new HostTensor(fullName, host.hold(values.shape, values.dtype as 'int32'));
      stored.write(values);
      return stored;
    } finally {
      values.dispose();
    }
  }

  /** What to store, `from` or fresh: the tensors by name, in the order of the rule, and their scales. */
  #contents(from: readonly tf.Tensor[] | undefined): Contents {
    const { size, shape } = this.weight;
    const specs = this.#specs;
    if (!this.isQuantized) {
      const tensors = specs.map(({ name, initial }, s): [string, Make] => [
        name,
        () => from?.[s] ?? this.#filled(shape, initial, 'float32'),
      ]);
      return { tensors: new Map(tensors), scales: null };
    }
    const blocks = blocksOf(size);
    const wordShape = [blocks, BLOCK_WORDS];
    const scaleShape = [specs.length, blocks];
    const scales = new Float32Array(specs.length * blocks);
    let isZero = true;
    const tensors = specs.map(({ name, initial }, s): [string, Make] => {
      if (from === undefined && initial === 0) {
        return [name, () => this.#filled(wordShape, 0, 'int32')];
      }
      isZero = false;
      const values = from?.[s]?.dataSync<'float32'>() ?? new Float32Array(size).fill(initial);
      const quantized = quantizeNumbers(this.#kinds.get(name) ?? 'signed', values);
      scales.set(quantized.scales, s * blocks);
      return [name, () => tf.tensor(quantized.words, wordShape, 'int32')];
    });
    return {
      tensors: new Map(tensors),
      scales: () =>
        isZero ? this.#filled(scaleShape, 0, 'float32') : tf.tensor(scales, scaleShape),
    };
  }

  #filled(shape: number[], value: number, dtype: 'float32' | 'int32'): tf.Tensor {
    if (this.#host === null) return tf.fill(shape, value, dtype);
    const size = tf.util.sizeFromShape(shape);
    const values = dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
    return tf.tensor(values.fill(value), shape, dtype);
  }
}
