// Looks at some weights of one host blend, before and after. Reads alone: the blend is the same without.

import { type StoredChunk, weightOf } from './chunk-memory.js';
import type { Part } from '../slow/layout.js';
import type { SamplePlace, SamplePlaces } from '../slow/sample-places.js';
import type { StallSample } from '../slow/stall.js';
import { isWeight, type Tracked } from '../lookahead/tracked.js';

/** A part of a chunk, with its weight. */
interface Place extends Part {
  readonly stored: StoredChunk<Tracked>;
  readonly tracked: Tracked;
}

export class HostSamples {
  readonly #stepSizeOf: (tracked: Tracked) => number;
  readonly #places: readonly SamplePlace<Place>[];
  /** By place: without what was stored after. */
  readonly #begun = new Map<SamplePlace<Place>, Omit<StallSample, 'after'>>();
  readonly #all: StallSample[] = [];

  constructor(
    chunks: readonly StoredChunk<Tracked>[],
    stepSizeOf: (tracked: Tracked) => number,
    places: SamplePlaces,
  ) {
    this.#stepSizeOf = stepSizeOf;
    const parts = chunks.flatMap((stored) =>
      stored.chunk.parts.map((part): Place => ({
        ...part,
        stored,
        tracked: weightOf(stored.weights, part.weight),
      })),
    );
    // Slots of the inner state are no weights: they have a scale of their own.
    this.#places = places.next(parts.filter(({ tracked }) => isWeight(tracked)));
  }

  /** Of the chunks that were blended. */
  get all(): readonly StallSample[] {
    return this.#all;
  }

  /** `fastOf` gives the fast weights of a part of the chunk, to be kept. Once for each chunk. */
  async before(
    stored: StoredChunk<Tracked>,
    fastOf: (part: Part) => Float32Array | Promise<Float32Array>,
  ): Promise<void> {
    for (const place of this.#of(stored)) {
      const { tracked } = place.part;
      if (tracked.variable.isDisposed) continue; // it has no fast weights
      this.#begun.set(place, {
        format: stored.segment.format,
        stepSize: this.#stepSizeOf(tracked),
        fast: await fastOf(sampled(place)),
        before: slowValues(place),
      });
    }
  }

  after(stored: StoredChunk<Tracked>): void {
    for (const place of this.#of(stored)) {
      const begun = this.#begun.get(place);
      if (begun) this.#all.push({ ...begun, after: slowValues(place) });
    }
  }

  #of(stored: StoredChunk<Tracked>): SamplePlace<Place>[] {
    return this.#places.filter(({ part }) => part.stored === stored);
  }
}

/** The place as a part of its chunk: it begins where a group does. */
function sampled({ part, first, length }: SamplePlace<Place>): Part {
  return { ...part, start: part.start + first, offset: part.offset + first, length };
}

/** A copy. */
function slowValues(place: SamplePlace<Place>): Float32Array {
  const { segment, chunk } = place.part.stored;
  return segment.values(chunk, sampled(place)).slice();
}
