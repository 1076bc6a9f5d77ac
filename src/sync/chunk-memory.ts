// Slow weights in host memory: shared with worker threads, laid out in chunks.
//
// The store is one or more *segments* (segment.ts), each of one format. Nothing outside gets to keep a view of
// their memory.

import type { Draw } from '../../workers/codecs/random-bits.js';
import { GROUPS, storedBytes, type ValueFormat } from '../../workers/codecs/value-format.js';
import { type Chunk, layOut, type Part } from '../slow/layout.js';
import { Segment } from './segment.js';

/** A chunk of weights `W`, and where it lives. */
export interface StoredChunk<W> {
  readonly segment: Segment;
  readonly chunk: Chunk;
  /** What `part.weight` indexes. */
  readonly weights: readonly W[];
}

export interface HostStoreOptions {
  /** Of float32 values; quantized ones take less. */
  readonly chunkBytes: number;
  /** Staging slots of a segment, at most: chunks that can be on their way at a time. */
  readonly slots: number;
}

const FLOAT_BYTES = 4;
/** Well under the 4 GiB that a 32-bit memory can have, its staging slots included. */
const MAX_SEGMENT_BYTES = 2 ** 31;

export class HostStore<W extends { readonly size: number }> {
  readonly #options: HostStoreOptions;
  readonly #formatOf: (weight: W) => ValueFormat;
  #chunks: StoredChunk<W>[] = [];

  constructor(options: HostStoreOptions, formatOf: (weight: W) => ValueFormat) {
    this.#options = options;
    this.#formatOf = formatOf;
  }

  get chunks(): readonly StoredChunk<W>[] {
    return this.#chunks;
  }

  /** Bytes of slow weights, and of the staging memory beside them. */
  get bytes(): { readonly slow: number; readonly staging: number } {
    const segments = new Set(this.#chunks.map(({ segment }) => segment));
    const slow = this.#chunks.reduce(
      (sum, { segment, chunk }) => sum + storedBytes(segment.format, chunk.length),
      0,
    );
    const all = [...segments].reduce((sum, { bytes }) => sum + bytes, 0);
    return { slow, staging: all - slow };
  }

  /** Makes room for `weights`, zero-filled. A chunk holds weights of one format. */
  add(weights: readonly W[]): void {
    this.#chunks.push(...this.#make(weights));
  }

  /** Makes new room for `weight`, whose format has changed, and gives it `values`. */
  move(weight: W, values: Float32Array, draw: Draw): void {
    const made = this.#make([weight]);
    // There is room for it: only now its old places go.
    const without = this.#chunks.map((stored): StoredChunk<W> => {
      const { chunk, weights } = stored;
      const parts = chunk.parts.filter((part) => weights[part.weight] !== weight);
      return { ...stored, chunk: { ...chunk, parts } };
    });
    this.#chunks = [...without, ...made];
    this.prune(() => true);
    this.write(weight, values, draw);
  }

  /** Frees chunks in which nothing is alive. */
  prune(isAlive: (weight: W) => boolean): void {
    this.#chunks = this.#chunks.filter(({ chunk, weights }) =>
      chunk.parts.some((part) => isAlive(weightOf(weights, part.weight))),
    );
  }

  /** A copy of the slow values of `weight`. */
  read(weight: W): Float32Array {
    const values = new Float32Array(weight.size);
    this.#eachPart(weight, ({ segment, chunk }, part) => {
      values.set(segment.values(chunk, part), part.start);
    });
    return values;
  }

  /** Replaces the slow values of `weight`, rounded by `draw` if they have to be. */
  write(weight: W, values: Float32Array, draw: Draw): void {
    this.#eachPart(weight, ({ segment, chunk }, part) => {
      segment.write(chunk, part, values.subarray(part.start, part.start + part.length), draw);
    });
  }

  #make(weights: readonly W[]): StoredChunk<W>[] {
    const made: StoredChunk<W>[] = [];
    for (const format of new Set(weights.map(this.#formatOf))) {
      const those = weights.filter((weight) => this.#formatOf(weight) === format);
      const sizes = those.map(({ size }) => size);
      const group = GROUPS[format].elements;
      const chunkGroups = Math.floor(this.#options.chunkBytes / FLOAT_BYTES / group);
      const laidOut = layOut(sizes, Math.max(1, chunkGroups) * group, group);
      for (const chunks of intoSegments(laidOut)) {
        const segment = new Segment(chunks, format, Math.min(this.#options.slots, chunks.length));
        made.push(...chunks.map((chunk) => ({ segment, chunk, weights: those })));
      }
    }
    return made;
  }

  #eachPart(weight: W, visit: (stored: StoredChunk<W>, part: Part) => void): void {
    for (const stored of this.#chunks) {
      for (const part of stored.chunk.parts) {
        if (stored.weights[part.weight] === weight) visit(stored, part);
      }
    }
  }
}

/** What `part.weight` stands for. */
export function weightOf<W>(weights: readonly W[], index: number): W {
  const weight = weights[index];
  if (weight === undefined) throw new Error(`No weight ${index} in a chunk of ${weights.length}.`);
  return weight;
}

/** Groups neighbouring chunks so that no group passes the size of a segment. */
function intoSegments(chunks: readonly Chunk[]): Chunk[][] {
  const groups: Chunk[][] = [];
  let bytes = Infinity;
  for (const chunk of chunks) {
    const chunkBytes = chunk.length * FLOAT_BYTES;
    if (bytes + chunkBytes > MAX_SEGMENT_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(chunk);
    bytes += chunkBytes;
  }
  return groups;
}
