// One sync of slow weights in fp16 that the device blends: for each weight, upload the halves, blend, download.
//
// `run` may be called again after it failed. It does not blend a weight twice, and rounds again by the same draw.

import type { HalfTransfers } from '../engine/device.js';
import { isGone } from '../tfjs/variables.js';
import type { StoredChunk } from './chunk-memory.js';
import type { Part } from '../slow/layout.js';
import type { BlendOptions, Storable, StoreClock } from '../slow/slow-store.js';

type Place<W> = readonly [StoredChunk<W>, Part<W>];

export class HalfSync<W extends Storable> {
  readonly #chunks: readonly StoredChunk<W>[];
  readonly #options: BlendOptions<W>;
  readonly #halves: HalfTransfers;
  readonly #blended = new Set<W>();
  readonly #stored = new Set<W>();

  /** `chunks` hold fp16. */
  constructor(chunks: readonly StoredChunk<W>[], options: BlendOptions<W>, halves: HalfTransfers) {
    this.#chunks = chunks;
    this.#options = options;
    this.#halves = halves;
  }

  async run(clock: StoreClock): Promise<void> {
    const { stepSizeOf, round } = this.#options;
    for (const [item, places] of this.#weights()) {
      const { variable, serial } = item;
      const stepSize = stepSizeOf(item);
      if (stepSize === null || isGone(variable) || this.#stored.has(item)) continue;
      if (!this.#blended.has(item)) {
        await clock.time('push', () =>
          this.#halves.blend(variable, gather(item, places), stepSize),
        );
        this.#blended.add(item);
      }
      await clock.time('pull', () => {
        if (isGone(variable)) return; // meanwhile: nothing of it is read again
        for (const [chunk, part] of places) {
          const rounded = new Uint16Array(part.length);
          this.#halves.pull(variable, part.start, rounded, { item: serial, round });
          chunk.segment.quantized(chunk, part).set(bytesOf(rounded));
        }
      });
      this.#stored.add(item);
    }
  }

  #weights(): Map<W, Place<W>[]> {
    const all = new Map<W, Place<W>[]>();
    for (const chunk of this.#chunks) {
      for (const part of chunk.parts) {
        const places = all.get(part.item) ?? [];
        all.set(part.item, places);
        places.push([chunk, part]);
      }
    }
    return all;
  }
}

/** A weight's halves in one piece. */
function gather<W extends Storable>({ size }: W, places: readonly Place<W>[]): Uint16Array {
  const halves = new Uint16Array(size);
  const bytes = bytesOf(halves);
  for (const [chunk, part] of places) {
    const quantized = chunk.segment.quantized(chunk, part);
    bytes.set(quantized.subarray(0, 2 * part.length), 2 * part.start); // without the last group's padding
  }
  return halves;
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
