import * as tf from '@tensorflow/tfjs-core';

import type { SlowFormat } from '#src/slow/slow-format.js';
import type { SlowStore, Storable, StoreClock } from '#src/slow/slow-store.js';

/** A weight as a Lookahead tracks it. */
export interface Item extends Storable {
  isKeptInF32: boolean;
}

let serial = 0;

/** Its elements are `first`, `first` + 1, … */
export function itemOf(
  first: number,
  { shape = [3], slow = 'host:f32' }: { shape?: number[]; slow?: SlowFormat } = {},
): Item {
  const size = tf.util.sizeFromShape(shape);
  const variable = tf.tidy(() => tf.variable(tf.tensor(counted(first, size), shape)));
  return { variable, size, slot: null, serial: serial++, slow, isKeptInF32: false };
}

export function counted(first: number, size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => first + i);
}

export function assign({ variable }: Item, values: Iterable<number>): void {
  tf.tidy(() => variable.assign(tf.tensor([...values], variable.shape)));
}

export const fastOf = ({ variable }: Item) => [...variable.dataSync()];

export async function slowOf(store: SlowStore<Item>, item: Item): Promise<number[]> {
  return [...(await store.read(item))];
}

/** Which phases were timed. */
export class Clock implements StoreClock {
  readonly phases: string[] = [];

  async time<T>(phase: string, work: () => T | Promise<T>): Promise<T> {
    this.phases.push(phase);
    return work();
  }

  /** Of what was timed by `add`. */
  ms = 0;

  add(phase: string, elapsedMs: number): void {
    this.phases.push(phase);
    this.ms += elapsedMs;
  }
}
