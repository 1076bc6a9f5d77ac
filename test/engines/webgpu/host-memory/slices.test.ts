import { expect, test } from 'vitest';

import { BLOCK_BYTES, pause, Slices } from '#src/engines/webgpu/host-memory/slices.js';

/** Copies of so many blocks each, on a machine on which a block takes `blockMs`: milliseconds between pauses. */
async function slicesAt(blockMs: number, copies: readonly number[]): Promise<number[]> {
  let [clock, slice] = [0, 0];
  const between: number[] = [];
  const slices = new Slices({
    now: () => clock,
    pause: async () => {
      between.push(slice);
      slice = 0;
    },
    took: (elapsedMs) => (slice += elapsedMs),
  });
  for (const blocks of copies) {
    const from = Uint8Array.from({ length: blocks * BLOCK_BYTES - 5 }, (_, i) => i % 251);
    const into = new Uint8Array(from.length);
    const set = into.set.bind(into);
    into.set = (...given) => {
      clock += blockMs;
      set(...given);
    };
    await slices.copy(from, into);
    clock += 100; // waiting for the next piece is not copying
    expect(into.every((byte, i) => byte === i % 251)).toBe(true);
  }
  return [...between, slice];
}

test('at 1 GB/s 8 blocks of 256 KiB are a slice, 2 ms; at 0.1 GB/s one is; never 5 ms', async () => {
  expect(await slicesAt(0.25, [20])).toEqual([2, 2, 1]);
  expect(await slicesAt(2.5, [3])).toEqual([2.5, 2.5, 2.5, 0]);
});

test('many small copies are cut like a large one', async () => {
  expect(await slicesAt(0.5, [3, 3, 3])).toEqual([2, 2, 0.5]);
});

test('others have their turn in a pause, in a browser too', async () => {
  const { setImmediate } = globalThis;
  for (const isBrowser of [false, true]) {
    if (isBrowser) Reflect.deleteProperty(globalThis, 'setImmediate');
    try {
      const timer = { isDone: false };
      setTimeout(() => (timer.isDone = true), 0);
      for (let i = 0; i < 1000 && !timer.isDone; i++) await pause();
      expect(timer.isDone).toBe(true);
    } finally {
      globalThis.setImmediate = setImmediate;
    }
  }
});

test('a search is cut like a copy, and finds the first NaN or infinity of many blocks', async () => {
  let [clock, pauses] = [0, 0];
  const slices = new Slices({
    now: () => (clock += 0.5), // twice a block
    pause: async () => void pauses++,
    took: () => undefined,
  });
  const values = new Float32Array(20 * (BLOCK_BYTES / 4) - 3).fill(3e38);
  expect(await slices.firstNonFinite(values)).toBe(-1);
  expect(pauses).toBe(5); // 4 blocks are 2 ms
  values[values.length - 1] = -Infinity;
  expect(await slices.firstNonFinite(values)).toBe(values.length - 1);
  values[777_777] = NaN;
  expect(await slices.firstNonFinite(values)).toBe(777_777);
});
