/**
 * The slots of one weight: float32 of its shape, or 8-bit (`quantization.ts`), then one int32 tensor of packed
 * bytes a slot and one float32 tensor with the scales of all of them, because a shader sees eight buffers at
 * most. They stay on the device (`device-slots.ts`) or wait on the host (`host-slots.ts`).
 *
 * Variables are named after the weight, as the breakdown of device memory expects.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import type { StateTensor } from '../inner.js';
import type { QuantizedKind } from '../../formula/quantization.js';
import type { StateSpec } from '../../formula/update-rule.js';
import type { StateVariables } from '../../formula/weight-update.js';

export interface WeightSlots {
  /** In 8 bits. */
  readonly isQuantized: boolean;
  /** An update is about to need them: now is the time to bring them to the device. */
  prepare(): void;
  /** Runs `work`, which updates them in place. */
  use<T>(work: (slots: StateVariables) => T): T;
  /** The values of `from`, one tensor a slot (on the host: to be read at once), the caller's; or as freshly made. */
  write(from?: readonly tf.Tensor[]): void;
  /** What can be reached as tensors at any time. */
  list(): StateTensor[];
  /** Takes hold of the values as they are now: a step may come before they are read. */
  hold(): HeldSlots;
  dispose(): void;
}

/** The slots of one weight at a moment, to be saved. */
export interface HeldSlots {
  /** In float32, in the order of the rule: live variables, or host tensors. */
  read(): Promise<readonly NamedTensor[]>;
  dispose(): void;
}

export function kindsOf(specs: readonly StateSpec[]): Map<string, QuantizedKind> {
  return new Map(
    specs.map(({ name, neverNegative }) => [name, neverNegative ? 'positive' : 'signed']),
  );
}

export function slotName(weight: tf.Variable, slot: string): string {
  return `${weight.name}/${slot}`;
}

/** Variables need names unique in the whole engine, but two optimizers may train one weight. */
export function unusedName(name: string): string {
  const taken = tf.engine().registeredVariables;
  let unused = name;
  for (let n = 1; unused in taken; n++) unused = `${name}_${n}`;
  return unused;
}
