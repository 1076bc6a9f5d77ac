// Copies memory, or looks through it, beside other work: in slices, between which the event loop runs.

import { nonFiniteAt } from '../../../checks/finite-values.js';

/** At 1 GB/s, the slowest that memory of a GPU's driver was seen at, a block takes a quarter of a millisecond. */
export const BLOCK_BYTES = 256 * 1024;
/** Of work at a time; one more block may begin just before. Well under the 5 ms that a frame can spare. */
const SLICE_MS = 2;

export interface Pace {
  now(): number;
  /** Resolves after the event loop had its turn. */
  pause(): Promise<void>;
  /** Told how long each slice took. */
  took(elapsedMs: number): void;
}

export class Slices {
  readonly #pace: Pace;
  /** Work since the last pause, over all calls: many short ones are one slice. */
  #usedMs = 0;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** Gives `took` the milliseconds of each slice. */
  static beside(took: (elapsedMs: number) => void = () => undefined): Slices {
    return new Slices({ now: () => performance.now(), pause, took });
  }

  /** Copies `from` to `into`, which are of one length. */
  copy(from: Uint8Array, into: Uint8Array): Promise<void> {
    return this.#blocks(from.length, BLOCK_BYTES, (start, end) =>
      into.set(from.subarray(start, end), start),
    );
  }

  /** The place of the first NaN or infinity, or −1: in memory that was taken away nothing is found. */
  async firstNonFinite(values: Float32Array): Promise<number> {
    let found = -1;
    await this.#blocks(values.length, BLOCK_BYTES / 4, (start, end) => {
      if (found < 0) found = nonFiniteAt(values, start, end);
    });
    return found;
  }

  async #blocks(
    length: number,
    blockLength: number,
    work: (start: number, end: number) => void,
  ): Promise<void> {
    for (let start = 0; start < length; start += blockLength) {
      const startedAt = this.#pace.now();
      work(start, Math.min(start + blockLength, length));
      const elapsedMs = this.#pace.now() - startedAt;
      this.#pace.took(elapsedMs);
      this.#usedMs += elapsedMs;
      if (this.#usedMs < SLICE_MS) continue;
      await this.#pace.pause();
      this.#usedMs = 0;
    }
  }
}

/** Lets timers, input and output have their turn. Not a timer itself: browsers make those wait 4 ms. */
export function pause(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (then: () => void) => unknown };
  if (setImmediate) return new Promise((resolve) => void setImmediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(null);
  });
}
