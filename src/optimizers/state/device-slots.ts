/** The slots of one weight as variables on the device. */
import * as tf from '@tensorflow/tfjs-core';
import { hostTensor } from '../../tfjs/host-tensor.js';
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import type { InnerSlot } from '../inner.js';
import { BLOCK_WORDS, NEAREST, blocksOf } from '../../formula/moment-code.js';
import { decodedNumbers } from '../../formula/moment-numbers.js';
import { checkExactIntegers } from '../../formula/moment-tensors.js';
import { updateWithTensors } from '../../formula/tensor-algebra.js';
import type { Assignment, Operands, SlotSpec } from '../../formula/update-rule.js';
import { updaterFor } from '../../engine/updater.js';
import { type HeldSlots, type WeightSlots, codesOf, slotName, unusedName } from './weight-slots.js';
import type { CodedSlots, SlotVariables } from '../../formula/weight-update.js';

export class DeviceSlots implements WeightSlots {
  /** By the names of the rule, in its order. */
  readonly variables: ReadonlyMap<string, tf.Variable>;
  /** Null if the variables are float32. */
  readonly coded: CodedSlots | null;
  readonly #weight: tf.Variable;
  readonly #specs: readonly SlotSpec[];

  /** Fresh, or with the values of `from`, one tensor a slot, which stay the caller's. */
  constructor(
    weight: tf.Variable,
    specs: readonly SlotSpec[],
    isCoded: boolean,
    from?: readonly tf.Tensor[],
  ) {
    this.#weight = weight;
    this.#specs = specs;
    if (isCoded && updaterFor(tf.backend()) === updateWithTensors) checkExactIntegers();
    const variables = new Map<string, tf.Variable>();
    this.variables = variables;
    this.coded = isCoded ? { scales: zeroScales(weight, specs), codes: codesOf(specs) } : null;
    const blocks = blocksOf(weight.size);
    try {
      for (const [s, { name, initial }] of specs.entries()) {
        const make = () =>
          isCoded ? zeroWords(blocks) : (from?.[s] ?? tf.fill(weight.shape, initial));
        variables.set(name, variableOf(slotName(weight, name), make));
      }
      if (this.coded !== null) this.#encodeAll(this.coded, from);
    } catch (error) {
      // There was no memory for all of them: nobody would dispose the others.
      tf.dispose([...variables.values(), ...(this.coded === null ? [] : [this.coded.scales])]);
      throw error;
    }
  }

  get isCoded(): boolean {
    return this.coded !== null;
  }

  /** They are there. */
  prepare(): void {}

  use<T>(work: (slots: SlotVariables) => T): T {
    return work({ slots: this.variables, coded: this.coded });
  }

  write(from?: readonly tf.Tensor[]): void {
    if (this.coded !== null) {
      if (from === undefined) this.#zero(this.coded);
      this.#encodeAll(this.coded, from);
      return;
    }
    for (const [s, { name, initial }] of this.#specs.entries()) {
      const variable = this.variables.get(name);
      tf.tidy(() => variable?.assign(from?.[s] ?? tf.fill(this.#weight.shape, initial)));
    }
  }

  list(): InnerSlot[] {
    const weight = this.#weight;
    if (this.coded !== null) return [{ variable: this.coded.scales, weight, initial: 0 }];
    return this.#specs.flatMap(({ name, initial }) => {
      const variable = this.variables.get(name);
      return variable === undefined ? [] : [{ variable, weight, initial }];
    });
  }

  hold(): HeldSlots {
    const name = (slot: string) => slotName(this.#weight, slot);
    if (this.coded === null) {
      const live = [...this.variables].map(([slot, tensor]) => ({ name: name(slot), tensor }));
      return { read: () => Promise.resolve(live), dispose: () => undefined };
    }
    const { size, shape } = this.#weight;
    const { codes } = this.coded;
    const scales = tf.keep(this.coded.scales.clone());
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
          const code = codes.get(slot) ?? 'signed';
          const values = decodedNumbers(code, await tensor.data<'int32'>(), own, size);
          saved.push({ name: name(slot), tensor: hostTensor(values, shape) });
        }
        return saved;
      },
      dispose: () => tf.dispose([scales, ...words.map(({ tensor }) => tensor)]),
    };
  }

  dispose(): void {
    const all = [...this.variables.values(), ...(this.coded === null ? [] : [this.coded.scales])];
    // A variable disposed twice would give back another tensor's share of its data.
    for (const variable of all) if (!variable.isDisposed) variable.dispose();
  }

  /** One variable a tidy, so that none shares its data when it is written next: that would cost a copy. */
  #zero({ scales }: CodedSlots): void {
    const blocks = blocksOf(this.#weight.size);
    for (const slot of this.variables.values()) tf.tidy(() => slot.assign(zeroWords(blocks)));
    tf.tidy(() => scales.assign(tf.zerosLike(scales)));
  }

  /** Of what is to be 0 the words are zeros already. */
  #encodeAll(coded: CodedSlots, from?: readonly tf.Tensor[]): void {
    for (const [s, { name, initial }] of this.#specs.entries()) {
      const values = from?.[s];
      if (values === undefined && initial === 0) continue;
      tf.tidy(() => this.#encode(name, coded, values ?? tf.fill(this.#weight.shape, initial)));
    }
  }

  /** As an update whose formula copies the gradient: whoever carries out updates can encode. */
  #encode(target: string, coded: CodedSlots, values: tf.Tensor): void {
    updaterFor(tf.backend())({
      formula: copyInto(target, this.#specs),
      weight: this.#weight,
      slots: this.variables,
      coded,
      rounding: NEAREST,
      gradient: values,
      takesGradient: false,
      clip: { by: 'nothing' },
      scalars: {},
    });
  }
}

/** By the slots of an optimizer, then by target. */
const copies = new WeakMap<readonly SlotSpec[], ReadonlyMap<string, readonly Assignment[]>>();

/**
 * `target ← gradient`; the same array each time, for kernels are kept by it. Never one for two sets of slots,
 * which share names and have other kernels.
 */
function copyInto(target: string, specs: readonly SlotSpec[]): readonly Assignment[] {
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
function zeroScales(weight: tf.Variable, specs: readonly SlotSpec[]): tf.Variable {
  const shape: [number, number] = [specs.length, blocksOf(weight.size)];
  return variableOf(slotName(weight, 'scales'), () => tf.fill(shape, 0));
}

function variableOf(name: string, make: () => tf.Tensor): tf.Variable {
  return tf.tidy(() => tf.variable(make(), false, unusedName(name)));
}
