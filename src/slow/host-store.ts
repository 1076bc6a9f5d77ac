// Slow weights in host memory: shared with worker threads, laid out in chunks.
//
// The store is one or more *segments*. A segment is one WebAssembly memory, because the blend kernel
// can reach only one: it holds the slow weights of its chunks, and behind them the ring of staging
// slots that its chunks pass through. Nothing outside gets to keep a view of it.

import {
  type BlendJob,
  type BlendRun,
  STAGING_BYTES_ABOVE_CHUNK,
  stagingParts,
} from '../../workers/blend.js';
import { type Chunk, layOut } from './layout.js';
import { Ring } from './ring.js';

/** A chunk of weights `W`, and where it lives. */
export interface StoredChunk<W> {
  readonly segment: Segment;
  readonly chunk: Chunk;
  /** What `part.weight` indexes. */
  readonly weights: readonly W[];
}

export interface HostStoreOptions {
  readonly chunkBytes: number;
  /** Staging slots of a segment, at most: chunks that can be on their way at a time. */
  readonly slots: number;
}

const FLOAT_BYTES = 4;
const PAGE_BYTES = 65_536;
/** Where areas begin: a cache line, so that two workers never write to the same one. */
const ALIGN_BYTES = 64;
/** Well under the 4 GiB that a 32-bit memory can have, its staging slots included. */
const MAX_SEGMENT_BYTES = 2 ** 31;

export class HostStore<W extends { readonly size: number }> {
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
    const slow = this.#chunks.reduce((sum, { chunk }) => sum + chunk.length * FLOAT_BYTES, 0);
    const all = [...segments].reduce((sum, { bytes }) => sum + bytes, 0);
    return { slow, staging: all - slow };
  }

  /** Makes room for `weights`, zero-filled. Returns the new chunks. */
  add(weights: readonly W[]): readonly StoredChunk<W>[] {
    const chunkElements = Math.floor(this.#options.chunkBytes / FLOAT_BYTES);
    const sizes = weights.map(({ size }) => size);
    const added: StoredChunk<W>[] = [];
    for (const chunks of intoSegments(layOut(sizes, chunkElements))) {
      const segment = new Segment(chunks, Math.min(this.#options.slots, chunks.length));
      added.push(...chunks.map((chunk) => ({ segment, chunk, weights })));
    }
    this.#chunks.push(...added);
    return added;
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
    this.#eachPart(weight, (slow, start) => values.set(slow, start));
    return values;
  }

  /** Replaces the slow values of `weight`. */
  write(weight: W, values: Float32Array): void {
    this.#eachPart(weight, (slow, start) => slow.set(values.subarray(start, start + slow.length)));
  }

  #eachPart(weight: W, visit: (slow: Float32Array, start: number) => void): void {
    for (const { segment, chunk, weights } of this.#chunks) {
      for (const part of chunk.parts) {
        if (weights[part.weight] !== weight) continue;
        const from = part.offset;
        visit(segment.slow(chunk).subarray(from, from + part.length), part.start);
      }
    }
  }
}

let segments = 0;

/** What `part.weight` stands for. */
export function weightOf<W>(weights: readonly W[], index: number): W {
  const weight = weights[index];
  if (weight === undefined) throw new Error(`No weight ${index} in a chunk of ${weights.length}.`);
  return weight;
}

class Segment {
  readonly ring: Ring;
  readonly bytes: number;
  readonly #id = segments++;
  readonly #memory: WebAssembly.Memory;
  readonly #firstElement: number;
  readonly #slotsByte: number;
  readonly #slotBytes: number;
  readonly #stagingBytes: number;

  /** `chunks` are neighbours in the layout. */
  constructor(chunks: readonly Chunk[], slots: number) {
    const elements = chunks.reduce((sum, { length }) => sum + length, 0);
    const longest = chunks.reduce((most, { length }) => Math.max(most, length), 0);
    this.#firstElement = chunks[0]?.offset ?? 0;
    this.#slotsByte = aligned(elements * FLOAT_BYTES);
    this.#stagingBytes = aligned(longest * FLOAT_BYTES);
    // A slot: the chunk's fast weights, the kernel's scratch block, the mark of its progress.
    this.#slotBytes = aligned(this.#stagingBytes + STAGING_BYTES_ABOVE_CHUNK);
    this.ring = new Ring(slots);
    this.bytes = this.#slotsByte + slots * this.#slotBytes;
    this.#memory = allocate(Math.ceil(this.bytes / PAGE_BYTES));
  }

  /** The chunk's slow weights: a view, for the moment only. */
  slow(chunk: Chunk): Float32Array {
    return new Float32Array(this.#memory.buffer, this.#slowByte(chunk), chunk.length);
  }

  /** The first `length` elements of a staging slot: a view, for as long as the slot is lent. */
  staging(slot: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, this.#slotByte(slot), length);
  }

  /** The blend of `chunk` with the fast weights in `slot`. */
  job(chunk: Chunk, slot: number, runs: readonly BlendRun[]): BlendJob {
    return {
      memory: this.#memory,
      memoryId: this.#id,
      slowByte: this.#slowByte(chunk),
      ...stagingParts(this.#slotByte(slot), this.#stagingBytes),
      runs,
    };
  }

  #slowByte(chunk: Chunk): number {
    return (chunk.offset - this.#firstElement) * FLOAT_BYTES;
  }

  #slotByte(slot: number): number {
    return this.#slotsByte + slot * this.#slotBytes;
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES;
}

/** Shared where the platform has shared memory, so that workers can reach it. */
function allocate(pages: number): WebAssembly.Memory {
  const size = { initial: pages, maximum: pages };
  try {
    if (typeof SharedArrayBuffer !== 'undefined') {
      return new WebAssembly.Memory({ ...size, shared: true });
    }
    return new WebAssembly.Memory(size);
  } catch (cause) {
    const mebibytes = Math.ceil((pages * PAGE_BYTES) / 2 ** 20);
    throw new RangeError(
      `Could not allocate ${mebibytes} MiB of host memory for slow weights. Free memory, or keep large weights out of Lookahead with the 'exclude' option.`,
      { cause },
    );
  }
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
