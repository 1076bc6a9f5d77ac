// One sync of slow weights in fp16 by a device that blends them, weight by weight: the halves go up and come down.
//
// If it breaks off, `run` may be called again: a weight that is blended is not blended a second time, and what was
// rounded is rounded again by the same draw.

import type { HalfTransfers } from '../engine/device.js';
import { type StoredChunk, weightOf } from './chunk-memory.js';
import type { Part } from '../slow/layout.js';
import type { Storable, StoreClock } from '../slow/slow-store.js';

interface Place<W> {
  readonly stored: StoredChunk<W>;
  readonly part: Part;
}

export class HalfSync<W extends Storable> {
  readonly #chunks: readonly StoredChunk<W>[];
  readonly #stepSizeOf: (item: W) => number;
  readonly #round: number;
  readonly #halves: HalfTransfers;
  readonly #blended = new Set<W>();
  readonly #stored = new Set<W>();

  /** `chunks` hold fp16. `stepSizeOf` must not change its answer. `round`: what rounding draws by. */
  constructor(
    chunks: readonly StoredChunk<W>[],
    stepSizeOf: (item: W) => number,
    round: number,
    halves: HalfTransfers,
  ) {
    this.#chunks = chunks;
    this.#stepSizeOf = stepSizeOf;
    this.#round = round;
    this.#halves = halves;
  }

  async run(clock: StoreClock): Promise<void> {
    for (const [item, places] of this.#weights()) {
      const { variable, serial } = item;
      if (variable.isDisposed || this.#stored.has(item)) continue;
      if (!this.#blended.has(item)) {
        const stepSize = this.#stepSizeOf(item);
        await clock.time('push', () =>
          this.#halves.blend(variable, gather(item, places), stepSize),
        );
        this.#blended.add(item);
      }
      await clock.time('pull', () => {
        if (variable.isDisposed) return; // meanwhile: nothing of it is read again
        for (const { stored, part } of places) {
          const rounded = new Uint16Array(part.length);
          this.#halves.pull(variable, part.start, rounded, { item: serial, round: this.#round });
          stored.segment.quantized(stored.chunk, part).set(bytesOf(rounded));
        }
      });
      this.#stored.add(item);
    }
  }

  #weights(): Map<W, Place<W>[]> {
    const all = new Map<W, Place<W>[]>();
    for (const stored of this.#chunks) {
      for (const part of stored.chunk.parts) {
        const item = weightOf(stored.weights, part.weight);
        const places = all.get(item) ?? [];
        all.set(item, places);
        places.push({ stored, part });
      }
    }
    return all;
  }
}

/** A weight's halves in one piece. */
function gather<W extends Storable>({ size }: W, places: readonly Place<W>[]): Uint16Array {
  const halves = new Uint16Array(size);
  const bytes = bytesOf(halves);
  for (const { stored, part } of places) {
    const quantized = stored.segment.quantized(stored.chunk, part);
    bytes.set(quantized.subarray(0, 2 * part.length), 2 * part.start); // without the last group's padding
  }
  return halves;
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
