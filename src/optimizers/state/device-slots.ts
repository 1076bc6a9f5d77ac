/** The slots of one weight as variables on the device. */
import * as tf from '@tensorflow/tfjs-core';
import { hostTensor } from '../../tfjs/host-tensor.js';
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import type { StateTensor } from '../inner.js';
import { BLOCK_WORDS, NEAREST, blocksOf } from '../../formula/quantization.js';
import { dequantizeNumbers } from '../../formula/quantized-numbers.js';
import { checkExactIntegers } from '../../formula/quantized-tensors.js';
import type { Assignment, Operands, StateSpec } from '../../formula/update-rule.js';
import { engineOf, updateWeight } from '../../engine/engine.js';
import { type HeldSlots, type WeightSlots, kindsOf, slotName, unusedName } from './weight-slots.js';
import type { QuantizedState, StateVariables } from '../../formula/weight-update.js';

export class DeviceSlots implements WeightSlots {
  /** By the names of the rule, in its order. */
  readonly variables: ReadonlyMap<string, tf.Variable>;
  /** Null if the variables are float32. */
  readonly quantized: QuantizedState | null;
  readonly #weight: tf.Variable;
  readonly #specs: readonly StateSpec[];

  /** Fresh, or with the values of `from`, one tensor a slot, which stay the caller's. */
  constructor(
    weight: tf.Variable,
    specs: readonly StateSpec[],
    isQuantized: boolean,
    from?: readonly tf.Tensor[],
  ) {
    this.#weight = weight;
    this.#specs = specs;
    if (isQuantized && engineOf(tf.backend())?.update === undefined) checkExactIntegers();
    const variables = new Map<string, tf.Variable>();
    this.variables = variables;
    this.quantized = isQuantized
      ? { scales: zeroScales(weight, specs), kinds: kindsOf(specs) }
      : null;
    const blocks = blocksOf(weight.size);
    try {
      for (const [s, { name, initial }] of specs.entries()) {
        const make = () =>
          isQuantized ? zeroWords(blocks) : (from?.[s] ?? tf.fill(weight.shape, initial));
        variables.set(name, variableOf(slotName(weight, name), make));
      }
      if (this.quantized !== null) this.#encodeAll(this.quantized, from);
    } catch (error) {
      // There was no memory for all of them: nobody would dispose the others.
      tf.dispose([
        ...variables.values(),
        ...(this.quantized === null ? [] : [this.quantized.scales]),
      ]);
      throw error;
    }
  }

  get isQuantized(): boolean {
    return this.quantized !== null;
  }

  /** They are there. */
  prepare(): void {}

  use<T>(work: (slots: StateVariables) => T): T {
    return work({ state: this.variables, quantized: this.quantized });
  }

  write(from?: readonly tf.Tensor[]): void {
    if (this.quantized !== null) {
      if (from === undefined) this.#zero(this.quantized);
      this.#encodeAll(this.quantized, from);
      return;
    }
    for (const [s, { name, initial }] of this.#specs.entries()) {
      const variable = this.variables.get(name);
      tf.tidy(() => variable?.assign(from?.[s] ?? tf.fill(this.#weight.shape, initial)));
    }
  }

  list(): StateTensor[] {
    const weight = this.#weight;
    if (this.quantized !== null) return [{ variable: this.quantized.scales, weight, initial: 0 }];
    return this.#specs.flatMap(({ name, initial }) => {
      const variable = this.variables.get(name);
      return variable === undefined ? [] : [{ variable, weight, initial }];
    });
  }

  hold(): HeldSlots {
    const name = (slot: string) => slotName(this.#weight, slot);
    if (this.quantized === null) {
      const live = [...this.variables].map(([slot, tensor]) => ({ name: name(slot), tensor }));
      return { read: () => Promise.resolve(live), dispose: () => undefined };
    }
    const { size, shape } = this.#weight;
    const { kinds } = this.quantized;
    const scales = tf.keep(this.quantized.scales.clone());
    const words = [...this.variables].map(([slot, variable]) => ({
      slot,
      tensor: tf.keep(variable.clone()),
    }));
    const blocks = blocksOf(size);
    return {
      async read() {
        const saved: NamedTensor[] = [];
        const allScales = await scales.data<'float32'>();
        for (const [s, { slot, tensor }] of words.entries()) {
          const own = allScales.subarray(s * blocks, (s + 1) * blocks);
          const kind = kinds.get(slot) ?? 'signed';
          const values = dequantizeNumbers(kind, await tensor.data<'int32'>(), own, size);
          saved.push({ name: name(slot), tensor: hostTensor(values, shape) });
        }
        return saved;
      },
      dispose: () => tf.dispose([scales, ...words.map(({ tensor }) => tensor)]),
    };
  }

  dispose(): void {
    const all = [
      ...this.variables.values(),
      ...(this.quantized === null ? [] : [this.quantized.scales]),
    ];
    // A variable disposed twice would give back another tensor's share of its data.
    for (const variable of all) if (!variable.isDisposed) variable.dispose();
  }

  /** One variable a tidy, so that none shares its data when it is written next: that would cost a copy. */
  #zero({ scales }: QuantizedState): void {
    const blocks = blocksOf(this.#weight.size);
    for (const slot of this.variables.values()) tf.tidy(() => slot.assign(zeroWords(blocks)));
    tf.tidy(() => scales.assign(tf.zerosLike(scales)));
  }

  /** Of what is to be 0 the words are zeros already. */
  #encodeAll(quantized: QuantizedState, from?: readonly tf.Tensor[]): void {
    for (const [s, { name, initial }] of this.#specs.entries()) {
      const values = from?.[s];
      if (values === undefined && initial === 0) continue;
      tf.tidy(() => this.#encode(name, quantized, values ?? tf.fill(this.#weight.shape, initial)));
    }
  }

  /** As an update whose formula copies the gradient: whoever carries out updates can encode. */
  #encode(target: string, quantized: QuantizedState, values: tf.Tensor): void {
    updateWeight({
      formula: copyInto(target, this.#specs),
      weight: this.#weight,
      state: this.variables,
      quantized,
      rounding: NEAREST,
      gradient: values,
      takesGradient: false,
      clip: { by: 'nothing' },
      scalars: {},
    });
  }
}

/** By the slots of an optimizer, then by target. */
const copies = new WeakMap<readonly StateSpec[], ReadonlyMap<string, readonly Assignment[]>>();

/**
 * `target ← gradient`; the same array each time, for kernels are kept by it. Never one for two sets of slots,
 * which share names and have other kernels.
 */
function copyInto(target: string, specs: readonly StateSpec[]): readonly Assignment[] {
  let known = copies.get(specs);
  if (known === undefined) {
    const copy = (name: string): Assignment<string, never> => ({
      target: name,
      value: takeGradient,
    });
    known = new Map(specs.map(({ name }) => [name, [copy(name)]]));
    copies.set(specs, known);
  }
  return known.get(target) ?? [];
}

function takeGradient<T>({ gradient }: Operands<never, T>): T {
  return gradient;
}

function zeroWords(blocks: number): tf.Tensor {
  return tf.fill([blocks, BLOCK_WORDS], 0, 'int32');
}

/** One row a slot. */
function zeroScales(weight: tf.Variable, specs: readonly StateSpec[]): tf.Variable {
  const shape: [number, number] = [specs.length, blocksOf(weight.size)];
  return variableOf(slotName(weight, 'scales'), () => tf.fill(shape, 0));
}

function variableOf(name: string, make: () => tf.Tensor): tf.Variable {
  return tf.tidy(() => tf.variable(make(), false, unusedName(name)));
}
