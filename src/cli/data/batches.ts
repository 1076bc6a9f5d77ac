// The order of the data. The same seed gives the same batches on every engine and platform. Not for cryptography, and
// not for weights (initializers take the seed itself).

import type { Batch } from '../../models/dataset.js';

/** Numbers uniform in [0, 1). */
export type Random = () => number;

/** mulberry32 by Tommy Ettinger (public domain): 32 bits of state, passes gjrand's tests. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Shuffles `order` in place (Fisher and Yates). */
export function shuffle(order: Uint32Array, random: Random): void {
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const kept = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = kept;
  }
}

type MakeBatch = (chosen: Uint32Array) => Batch;

/** Endless batches of `count` examples. `beginEpoch` gives what makes an epoch's batches. */
export function* shuffledBatches(
  count: number,
  batchSize: number,
  seed: number,
  beginEpoch: (random: Random) => MakeBatch,
): Generator<Batch, never, undefined> {
  const random = seededRandom(seed);
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (;;) {
    const make = beginEpoch(random);
    shuffle(order, random);
    for (let start = 0; start + batchSize <= count; start += batchSize) {
      yield make(order.subarray(start, start + batchSize));
    }
  }
}

/** Each example once. The last batch may be smaller. */
export function* orderedBatches(
  order: Uint32Array,
  batchSize: number,
  make: MakeBatch,
): Generator<Batch, void, undefined> {
  for (let start = 0; start < order.length; start += batchSize) {
    yield make(order.subarray(start, start + batchSize));
  }
}
