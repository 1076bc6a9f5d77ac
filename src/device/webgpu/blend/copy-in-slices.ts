// Copies memory beside other work: in slices, between which the event loop runs.

/** At 1 GB/s, the slowest that memory of a GPU's driver was seen at, a block takes a quarter of a millisecond. */
export const BLOCK_BYTES = 256 * 1024;
/** Of a slice; one more block may begin just before. Well under the 5 ms that a frame can spare. */
const SLICE_MS = 2;

export interface Pace {
  now(): number;
  /** Resolves after the event loop had its turn. */
  pause(): Promise<void>;
  /** Told how long each slice took. */
  took(elapsedMs: number): void;
}

/** Copies `from` to `into`, which are of one length. */
export async function copyInSlices(from: Uint8Array, into: Uint8Array, pace: Pace): Promise<void> {
  let sliceStart = pace.now();
  for (let start = 0; start < from.length; start += BLOCK_BYTES) {
    into.set(from.subarray(start, start + BLOCK_BYTES), start);
    const elapsedMs = pace.now() - sliceStart;
    if (elapsedMs < SLICE_MS) continue;
    pace.took(elapsedMs);
    await pace.pause();
    sliceStart = pace.now();
  }
  pace.took(pace.now() - sliceStart);
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
