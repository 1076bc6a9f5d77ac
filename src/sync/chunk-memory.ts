// Slow weights in host memory: shared with worker threads, laid out in chunks.
//
// The store is one or more *segments* (segment.ts), each of one format. Nothing outside gets to keep a view of
// their memory.

import { GROUPS, storedBytes } from '../../workers/codecs/value-format.js';
import { type Chunk, layOut, type Part } from '../slow/layout.js';
import { formatOf, type Storable } from '../slow/slow-store.js';
import { Segment } from './segment.js';

/** A chunk, and the memory that it lies in. */
export interface StoredChunk<W> extends Chunk<W> {
  readonly segment: Segment;
}

export interface HostStoreOptions {
  /** Of float32 values; quantized ones take less. */
  readonly chunkBytes: number;
  /** Staging slots of a segment, at most: chunks that can be on their way at a time. */
  readonly slots: number;
  /** False: no thread blends them. Default: one may. */
  readonly isForThreads?: boolean;
}

const FLOAT_BYTES = 4;
/** Well under the 4 GiB that a 32-bit memory can have, its staging slots included. */
const MAX_SEGMENT_BYTES = 2 ** 31;

export class HostStore<W extends Storable> {
  readonly #options: HostStoreOptions;
  #chunks: StoredChunk<W>[] = [];

  constructor(options: HostStoreOptions) {
    this.#options = options;
  }

  get chunks(): readonly StoredChunk<W>[] {
    return this.#chunks;
  }

  /** Bytes of slow weights, and of the staging memory beside them. */
  get bytes(): { readonly slow: number; readonly staging: number } {
    const segments = new Set(this.#chunks.map(({ segment }) => segment));
    const slow = this.#chunks.reduce(
      (sum, { segment, length }) => sum + storedBytes(segment.format, length),
      0,
    );
    const all = [...segments].reduce((sum, { bytes }) => sum + bytes, 0);
    return { slow, staging: all - slow };
  }

  /** Makes room for `items`, zero-filled. A chunk holds items of one format. */
  add(items: readonly W[]): void {
    this.#chunks.push(...this.#make(items));
  }

  /** Makes new room for `item`, whose format has changed. */
  move(item: W): void {
    const made = this.#make([item]);
    // There is room for it: only now its old places go.
    const without = this.#chunks.map((chunk) => ({
      ...chunk,
      parts: chunk.parts.filter((part) => part.item !== item),
    }));
    this.#chunks = [...without, ...made];
    this.prune(() => true);
  }

  /** Frees chunks in which nothing is alive. */
  prune(isAlive: (item: W) => boolean): void {
    this.#chunks = this.#chunks.filter(({ parts }) => parts.some(({ item }) => isAlive(item)));
  }

  /** The parts of what `isMeant`, each with its chunk. */
  *places(isMeant: (item: W) => boolean): Generator<[StoredChunk<W>, Part<W>]> {
    for (const chunk of this.#chunks) {
      for (const part of chunk.parts) if (isMeant(part.item)) yield [chunk, part];
    }
  }

  #make(items: readonly W[]): StoredChunk<W>[] {
    const made: StoredChunk<W>[] = [];
    for (const format of new Set(items.map(formatOf))) {
      const those = items.filter((item) => formatOf(item) === format);
      const group = GROUPS[format].elements;
      const chunkGroups = Math.floor(this.#options.chunkBytes / FLOAT_BYTES / group);
      const laidOut = layOut(those, Math.max(1, chunkGroups) * group, group);
      for (const chunks of intoSegments(laidOut)) {
        const { slots, isForThreads = true } = this.#options;
        const ring = { slots: Math.min(slots, chunks.length), isForThreads };
        const segment = new Segment(chunks, format, ring);
        made.push(...chunks.map((chunk) => ({ ...chunk, segment })));
      }
    }
    return made;
  }
}

/** Groups neighbouring chunks so that no group passes the size of a segment. */
function intoSegments<W>(chunks: readonly Chunk<W>[]): Chunk<W>[][] {
  const groups: Chunk<W>[][] = [];
  let group: Chunk<W>[] | undefined;
  let bytes = 0;
  for (const chunk of chunks) {
    const chunkBytes = chunk.length * FLOAT_BYTES;
    if (group === undefined || bytes + chunkBytes > MAX_SEGMENT_BYTES) {
      groups.push((group = []));
      bytes = 0;
    }
    group.push(chunk);
    bytes += chunkBytes;
  }
  return groups;
}
