// Looks at some weights of one blend on the device, before and after. Fast weights come with the check before
// the blend, in the same read; slow weights are read where they wait on the host, in download buffers.

import { packedBytes } from '../../../../workers/codecs/value-format.js';
import type { PackedPart } from '../../../slow/packed-layout.js';
import { SamplePlaces } from '../../../slow/sample-places.js';
import type { Storable } from '../../../slow/slow-store.js';
import type { StallSample, StallSink } from '../../../slow/stall.js';
import type { Piece } from './piece.js';

/** Neighbouring elements of a variable. */
export interface Run<W> {
  readonly item: W;
  /** First element within the variable. */
  readonly start: number;
  readonly length: number;
}

interface Seen<W> extends Run<W> {
  readonly fast: Float32Array;
}

export class DeviceSamples<W extends Storable> {
  readonly #sink: StallSink | null;
  readonly #places = new SamplePlaces();
  /** Fast weights, from the check to the blend. */
  #seen: readonly Seen<W>[] = [];

  constructor(sink: StallSink | null) {
    this.#sink = sink;
  }

  /** Which fast weights of `items` are to come with the next check. */
  next(pieces: readonly Piece<W>[], items: readonly W[]): readonly Run<W>[] {
    this.#seen = [];
    if (this.#sink === null) return [];
    const meant = new Set(items.filter(({ slot }) => slot === null));
    const parts = pieces.flatMap((piece) => piece.parts).filter(({ item }) => meant.has(item));
    return this.#places
      .next(parts)
      .map(({ part, first, length }) => ({ item: part.item, start: part.start + first, length }));
  }

  /** What came: of each run its fast weights. */
  saw(runs: readonly Run<W>[], fast: readonly Float32Array[]): void {
    this.#seen = runs.map((run, i) => ({ ...run, fast: fast[i] as Float32Array }));
  }

  /** Call before pieces go to the device, and what it returns once they are round. */
  begin(
    pieces: readonly Piece<W>[],
    isMeant: (item: W) => boolean,
    stepSizeOf: (item: W) => number,
  ): () => void {
    const begun = this.#seen.flatMap(({ fast, ...run }) => {
      const place = isMeant(run.item) ? placeOf(pieces, run) : null;
      if (!place) return [];
      const stepSize = stepSizeOf(run.item);
      const { format } = place.part;
      return [{ place, sample: { format, stepSize, fast, before: valuesAt(place) } }];
    });
    this.#seen = [];
    return () => {
      const all: StallSample[] = begun.map(({ place, sample }) => ({
        ...sample,
        after: valuesAt(place),
      }));
      this.#sink?.add(all);
    };
  }
}

interface Place<W> {
  readonly piece: Piece<W>;
  readonly part: PackedPart<W>;
}

/** Where the slow values of `run` are now: it may have moved since it was chosen. Null if not on the host. */
function placeOf<W>(pieces: readonly Piece<W>[], { item, start, length }: Run<W>): Place<W> | null {
  for (const piece of pieces) {
    for (const part of piece.parts) {
      const first = start - part.start;
      if (part.item !== item || first < 0 || first + length > part.length) continue;
      const offset = part.offset + packedBytes(part.format, first);
      return piece.isHere ? { piece, part: { ...part, start, length, offset } } : null;
    }
  }
  return null;
}

/** A copy. */
function valuesAt<W>({ piece, part }: Place<W>): Float32Array {
  return piece.values(part).slice();
}
