/** One state tensor, on the device or in host memory. Updates see a variable on the device either way. */
import * as tf from '@tensorflow/tfjs-core';
import type { OffloadedTensor } from '../../engine/offloaded-state.js';
import { isGone, variablesByName } from '../../tfjs/variables.js';

type Values = Float32Array | Int32Array;

export interface StoredTensor {
  /** The variable to update. It stays the tensor's own. */
  upload(): tf.Variable;
  /** After `upload` and the update; without an upload it does nothing. */
  download(): void;
  /** Replaces the values. Host memory takes only tensors whose values the host has. */
  write(values: tf.Tensor): void;
  /** Takes hold of the values as they are now: a step may follow before they are read. */
  hold(): HeldTensor;
  dispose(): void;
}

export interface HeldTensor {
  read(): Promise<Values>;
  dispose(): void;
}

export class DeviceTensor implements StoredTensor {
  readonly variable: tf.Variable;

  constructor(name: string, make: () => tf.Tensor) {
    this.variable = tf.tidy(() => tf.variable(make(), false, unusedName(name)));
  }

  upload(): tf.Variable {
    return this.variable;
  }

  download(): void {}

  write(values: tf.Tensor): void {
    this.variable.assign(values);
  }

  hold(): HeldTensor {
    const held = tf.keep(this.variable.clone());
    return { read: () => held.data<'float32' | 'int32'>(), dispose: () => held.dispose() };
  }

  dispose(): void {
    // A variable disposed twice would give back another tensor's share of its data, and another variable's name.
    if (!isGone(this.variable)) this.variable.dispose();
  }
}

export class HostTensor implements StoredTensor {
  readonly #name: string;
  readonly #offloaded: OffloadedTensor;

  constructor(name: string, offloaded: OffloadedTensor) {
    this.#name = name;
    this.#offloaded = offloaded;
  }

  upload(): tf.Variable {
    return this.#offloaded.upload(unusedName(this.#name));
  }

  download(): void {
    this.#offloaded.download();
  }

  write(values: tf.Tensor): void {
    this.#offloaded.write(values.dataSync<'float32' | 'int32'>());
  }

  firstNonFinite(): Promise<number> {
    return this.#offloaded.firstNonFinite();
  }

  hold(): HeldTensor {
    const values = this.#offloaded.read().slice();
    return { read: () => Promise.resolve(values), dispose: () => undefined };
  }

  dispose(): void {
    this.#offloaded.dispose();
  }
}

/** Variables need names unique in the whole engine, but two optimizers may train one weight. */
function unusedName(name: string): string {
  const taken = variablesByName();
  let unused = name;
  for (let n = 1; unused in taken; n++) unused = `${name}_${n}`;
  return unused;
}
