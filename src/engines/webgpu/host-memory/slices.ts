// Copies memory beside other work: in slices, between which the event loop runs.

/** At 1 GB/s, the slowest that memory of a GPU's driver was seen at, a block takes a quarter of a millisecond. */
export const BLOCK_BYTES = 256 * 1024;
/** Of copying at a time; one more block may begin just before. Well under the 5 ms that a frame can spare. */
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
  /** Copying since the last pause, over all copies: many short ones are one slice. */
  #usedMs = 0;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** Copies `from` to `into`, which are of one length. */
  async copy(from: Uint8Array, into: Uint8Array): Promise<void> {
    for (let start = 0; start < from.length; start += BLOCK_BYTES) {
      const startedAt = this.#pace.now();
      into.set(from.subarray(start, start + BLOCK_BYTES), start);
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
