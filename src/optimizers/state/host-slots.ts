/** The slots of one weight in host memory, on the device only while they are updated. */
import type * as tf from '@tensorflow/tfjs-core';
import { hostTensor } from '../../tfjs/host-tensor.js';
import type { StateTensor } from '../inner.js';
import { BLOCK_WORDS, type QuantizedKind, blocksOf } from '../../formula/quantization.js';
import type { OffloadedTensor, OffloadedState } from '../../engine/offloaded-state.js';
import { dequantizeNumbers, quantizeNumbers } from '../../formula/quantized-numbers.js';
import type { StateSpec } from '../../formula/update-rule.js';
import { type HeldSlots, type WeightSlots, kindsOf, slotName, unusedName } from './weight-slots.js';
import type { StateVariables } from '../../formula/weight-update.js';

export class HostSlots implements WeightSlots {
  readonly #weight: tf.Variable;
  readonly #specs: readonly StateSpec[];
  readonly #kinds: ReadonlyMap<string, QuantizedKind>;
  /** One a slot, in the order of the rule. */
  readonly #slots: OffloadedTensor[] = [];
  /** Of all slots; null if they are float32. */
  #scales: OffloadedTensor | null = null;
  #lent: StateVariables | null = null;

  /** Fresh, or with the values of `from`, one tensor a slot that can be read at once, which stay the caller's. */
  constructor(
    weight: tf.Variable,
    specs: readonly StateSpec[],
    isQuantized: boolean,
    home: OffloadedState,
    from?: readonly tf.Tensor[],
  ) {
    this.#weight = weight;
    this.#specs = specs;
    this.#kinds = kindsOf(specs);
    const blocks = blocksOf(weight.size);
    try {
      for (let s = 0; s < specs.length; s++) {
        this.#slots.push(
          isQuantized
            ? home.hold([blocks, BLOCK_WORDS], 'int32')
            : home.hold(weight.shape, 'float32'),
        );
      }
      if (isQuantized) this.#scales = home.hold([specs.length, blocks], 'float32');
      if (from !== undefined || specs.some(({ initial }) => initial !== 0)) this.write(from);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  get isQuantized(): boolean {
    return this.#scales !== null;
  }

  prepare(): void {
    this.#lent ??= this.#lend();
  }

  use<T>(work: (slots: StateVariables) => T): T {
    this.prepare();
    try {
      return work(this.#lent as StateVariables);
    } finally {
      this.takeBack();
    }
  }

  /** What was prepared and not used. */
  takeBack(): void {
    if (this.#lent === null) return;
    this.#lent = null;
    for (const held of this.#all()) held.takeBack();
  }

  write(from?: readonly tf.Tensor[]): void {
    const { size } = this.#weight;
    const allScales = new Float32Array(this.#specs.length * blocksOf(size));
    for (const [s, { name, initial }] of this.#specs.entries()) {
      const given = from?.[s]?.dataSync<'float32'>();
      const values = given ?? new Float32Array(size).fill(initial);
      if (this.#scales === null) {
        this.#slots[s]?.write(values);
        continue;
      }
      if (given === undefined && initial === 0) {
        this.#slots[s]?.write(new Int32Array(blocksOf(size) * BLOCK_WORDS));
        continue; // and scales of 0, as freshly made
      }
      const { words, scales } = quantizeNumbers(this.#kinds.get(name) ?? 'signed', values);
      this.#slots[s]?.write(words);
      allScales.set(scales, s * scales.length);
    }
    this.#scales?.write(allScales);
  }

  /** None can be reached between steps. */
  list(): StateTensor[] {
    return [];
  }

  /** False if a value is a NaN or an infinity. Of 8-bit slots the scales tell. */
  isFinite(): boolean {
    const looked = this.#scales === null ? this.#slots : [this.#scales];
    return looked.every((held) => held.read().every((value) => Number.isFinite(value)));
  }

  hold(): HeldSlots {
    const { size, shape } = this.#weight;
    const slots = this.#slots.map((held) => held.read().slice());
    const scales = this.#scales?.read().slice() ?? null;
    const blocks = blocksOf(size);
    const names = this.#specs.map(({ name }) => name);
    const valuesOf = (name: string, s: number): Float32Array => {
      const held = slots[s] as Float32Array | Int32Array;
      if (held instanceof Float32Array) return held;
      const own = (scales as Float32Array).subarray(s * blocks, (s + 1) * blocks);
      return dequantizeNumbers(this.#kinds.get(name) ?? 'signed', held, own, size);
    };
    return {
      read: () =>
        Promise.resolve(
          names.map((name, s) => ({
            name: slotName(this.#weight, name),
            tensor: hostTensor(valuesOf(name, s), shape),
          })),
        ),
      dispose: () => undefined,
    };
  }

  dispose(): void {
    for (const held of this.#all()) held.dispose();
  }

  #all(): OffloadedTensor[] {
    return [...this.#slots, ...(this.#scales === null ? [] : [this.#scales])];
  }

  #lend(): StateVariables {
    const lend = (held: OffloadedTensor, name: string) =>
      held.lend(unusedName(slotName(this.#weight, name)));
    try {
      const slots = new Map(
        this.#specs.map(({ name }, s) => [name, lend(this.#slots[s] as OffloadedTensor, name)]),
      );
      const scales = this.#scales === null ? null : lend(this.#scales, 'scales');
      return { state: slots, quantized: scales === null ? null : { scales, kinds: this.#kinds } };
    } catch (error) {
      for (const held of this.#all()) held.takeBack();
      throw error;
    }
  }
}
