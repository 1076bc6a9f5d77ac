import { expect, test } from 'vitest';

import { BLOCK_BYTES, copyInSlices, pause } from '#src/device/webgpu/blend/copy-in-slices.js';

/** A machine on which a block takes `blockMs`. */
async function slicesAt(blockMs: number, blocks: number) {
  const from = Uint8Array.from({ length: blocks * BLOCK_BYTES - 5 }, (_, i) => i % 251);
  const into = new Uint8Array(from.length);
  let [clock, pauses] = [0, 0];
  const set = into.set.bind(into);
  into.set = (...given) => {
    clock += blockMs;
    set(...given);
  };
  const took: number[] = [];
  await copyInSlices(from, into, {
    now: () => clock,
    pause: async () => void (pauses += 1),
    took: (elapsedMs) => took.push(elapsedMs),
  });
  expect(into.every((byte, i) => byte === i % 251)).toBe(true);
  return { took, pauses };
}

test('at 1 GB/s a slice is 8 blocks of 256 KiB, 2 ms; at 0.1 GB/s one block; never 5 ms', async () => {
  const fast = await slicesAt(0.25, 20);
  expect(fast).toEqual({ took: [2, 2, 1], pauses: 2 });
  const slow = await slicesAt(2.5, 3);
  expect(slow).toEqual({ took: [2.5, 2.5, 2.5, 0], pauses: 3 });
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
