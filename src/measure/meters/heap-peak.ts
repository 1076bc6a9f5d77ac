// The most that the kernels of the wasm backend hold at a time.

import type { WasmBackend } from '../../tfjs/wasm-backend.js';

export interface HeapPeak {
  /** Bytes, since `restart` or the beginning; XNNPACK's own allocations are not among them. */
  readonly bytes: number;
  /** From now on `held` bytes are held. */
  restart(held: number): void;
  stop(): void;
}

/** Watches what JavaScript allocates in the heap. What was allocated before counts as nothing when it is freed. */
export function heapPeak({ wasm }: Pick<WasmBackend, 'wasm'>): HeapPeak {
  const { _malloc: malloc, _free: free } = wasm;
  const sizes = new Map<number, number>();
  let [now, peak] = [0, 0];
  wasm._malloc = (bytes) => {
    const at = malloc(bytes);
    sizes.set(at >>> 0, bytes);
    now += bytes;
    peak = Math.max(peak, now);
    return at;
  };
  wasm._free = (at) => {
    now -= sizes.get(at >>> 0) ?? 0;
    sizes.delete(at >>> 0);
    free(at);
  };
  return {
    get bytes() {
      return peak;
    },
    restart(held) {
      now = peak = held;
    },
    stop() {
      Object.assign(wasm, { _malloc: malloc, _free: free });
    },
  };
}
