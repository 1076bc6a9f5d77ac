// One WebAssembly memory of slow weights: those of its chunks, in one format, and behind them the ring of
// staging slots that its chunks pass through. One memory, because the blend kernel can reach only one.

import {
  type BlendJob,
  type BlendRun,
  STAGING_BYTES_ABOVE_CHUNK,
  stagingParts,
} from '../../workers/blend.js';
import { CODECS } from '../../workers/codecs/codec.js';
import type { Draw } from '../../workers/codecs/random-bits.js';
import { storedBytes, type ValueFormat } from '../../workers/codecs/value-format.js';
import type { Chunk, Part } from '../slow/layout.js';

const FLOAT_BYTES = 4;
const PAGE_BYTES = 65_536;
/** Where areas begin: a cache line, so that two workers never write to the same one. */
const ALIGN_BYTES = 64;

let segments = 0;

/** Lends a fixed number of staging slots, first come first served. */
class Ring {
  readonly #free: number[];
  readonly #waiting: ((slot: number) => void)[] = [];

  constructor(slots: number) {
    this.#free = Array.from({ length: slots }, (_, i) => slots - 1 - i);
  }

  /** Resolves to a slot that is the caller's until it calls `release`. */
  acquire(): Promise<number> {
    const slot = this.#free.pop();
    if (slot !== undefined) return Promise.resolve(slot);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** While no other sync runs, all slots are free. */
  acquireAtOnce(): number {
    const slot = this.#free.pop();
    if (slot === undefined) throw new Error('All staging slots are lent.');
    return slot;
  }

  release(slot: number): void {
    const next = this.#waiting.shift();
    if (next) next(slot);
    else this.#free.push(slot);
  }
}

export class Segment {
  readonly ring: Ring;
  readonly bytes: number;
  readonly format: ValueFormat;
  readonly #id = segments++;
  readonly #memory: WebAssembly.Memory;
  readonly #firstElement: number;
  readonly #slotsByte: number;
  readonly #slotBytes: number;
  readonly #stagingBytes: number;

  /** `chunks` are neighbours in the layout. */
  constructor(
    chunks: readonly Chunk<unknown>[],
    format: ValueFormat,
    { slots, isForThreads }: { readonly slots: number; readonly isForThreads: boolean },
  ) {
    const elements = chunks.reduce((sum, { length }) => sum + length, 0);
    const longest = chunks.reduce((most, { length }) => Math.max(most, length), 0);
    this.format = format;
    this.#firstElement = chunks[0]?.offset ?? 0;
    this.#slotsByte = aligned(storedBytes(format, elements));
    this.#stagingBytes = aligned(longest * FLOAT_BYTES);
    // A slot: the chunk's fast weights, the kernel's scratch block, the mark of its progress.
    this.#slotBytes = aligned(this.#stagingBytes + STAGING_BYTES_ABOVE_CHUNK);
    this.ring = new Ring(slots);
    this.bytes = this.#slotsByte + slots * this.#slotBytes;
    this.#memory = allocate(Math.ceil(this.bytes / PAGE_BYTES), isForThreads);
  }

  /** The slow values of a part: a view or a copy, for the moment only, not to be written. */
  values(chunk: Chunk<unknown>, part: Part<unknown>): Float32Array {
    if (this.format === 'f32') return this.floats(chunk, part);
    const values = new Float32Array(part.length);
    CODECS[this.format].decode(this.quantized(chunk, part), values);
    return values;
  }

  /** Gives a part its slow values, rounded by `draw` if they have to be. */
  write(chunk: Chunk<unknown>, part: Part<unknown>, values: Float32Array, draw: Draw): void {
    if (this.format === 'f32') this.floats(chunk, part).set(values);
    else CODECS[this.format].encode(values, this.quantized(chunk, part), part.start, draw);
  }

  /** A part as it is stored, in whole groups: for the moment only. */
  quantized(chunk: Chunk<unknown>, { offset, length }: Part<unknown>): Uint8Array {
    const byte = this.#slowByte(chunk.offset + offset);
    return new Uint8Array(this.#memory.buffer, byte, storedBytes(this.format, length));
  }

  /** The slow values themselves, where they are float32: a view, for the moment only. */
  floats(chunk: Chunk<unknown>, { offset, length }: Part<unknown>): Float32Array {
    return new Float32Array(this.#memory.buffer, this.#slowByte(chunk.offset + offset), length);
  }

  /** The first `length` elements of a staging slot: a view, for as long as the slot is lent. */
  staging(slot: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, this.#slotByte(slot), length);
  }

  /** The blend of `chunk` with the fast weights in `slot`. `round`: what its rounding draws by. */
  job(chunk: Chunk<unknown>, slot: number, runs: readonly BlendRun[], round: number): BlendJob {
    return {
      memory: this.#memory,
      memoryId: this.#id,
      slowByte: this.#slowByte(chunk.offset),
      ...stagingParts(this.#slotByte(slot), this.#stagingBytes),
      runs,
      ...(this.format !== 'f32' && { quantization: { format: this.format, round } }),
    };
  }

  /** `element`: of the store, a multiple of the format's group. */
  #slowByte(element: number): number {
    return storedBytes(this.format, element - this.#firstElement);
  }

  #slotByte(slot: number): number {
    return this.#slotsByte + slot * this.#slotBytes;
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES;
}

/** `isForThreads`: shared, where the platform has shared memory. Copies to and from that are slower: word by word. */
function allocate(pages: number, isForThreads: boolean): WebAssembly.Memory {
  const size = { initial: pages, maximum: pages };
  try {
    if (isForThreads && typeof SharedArrayBuffer !== 'undefined') {
      return new WebAssembly.Memory({ ...size, shared: true });
    }
    return new WebAssembly.Memory(size);
  } catch (cause) {
    const mebibytes = Math.ceil((pages * PAGE_BYTES) / 2 ** 20);
    throw new RangeError(
      `Could not allocate ${mebibytes} MiB of host memory for slow weights. Free memory, or exclude large weights from Lookahead with overrides: [{ weights, exclude: true }].`,
      { cause },
    );
  }
}
