// A sync of more pieces than are on their way at a time, and what may happen in the middle of it.

import * as tf from '@tensorflow/tfjs-core';
import { adam, type Lookahead, lookahead, sgd } from 'slowlane';
import { expect, test } from 'vitest';

import type { BudgetedBackend } from '#src/engines/webgpu/budgeted-backend.js';

import { halfSquare, read, slowOf } from '../../../engines.js';
import { describeWebGPU, errorOf, start, variable } from '../engine.js';

/** Calls `act` just before the `n`-th piece from now on is submitted. */
function atPiece(backend: BudgetedBackend, n: number, act: () => void): void {
  const submit = backend.submitOwn.bind(backend);
  let seen = 0;
  backend.submitOwn = (commands, written) => {
    if (new Error().stack?.includes('PieceMover') === true && ++seen === n) act();
    return submit(commands, written);
  };
}

/** Two weights in 14 pieces of 512 bytes and less, two steps before a sync that is due. */
async function dueSync() {
  const { backend, memory, stop } = await start();
  const weights = [variable([1500], 1), variable([70], 2)];
  const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2, chunkBytes: 512 });
  await optimizer.attach(weights);
  const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
  await optimizer.step(loss, false, weights);
  optimizer.minimize(loss, false, weights);
  return { backend, memory, stop, weights, optimizer, loss };
}

const valuesOf = async (optimizer: Lookahead) =>
  (await optimizer.slowWeights()).flatMap(({ values }) => [...values]);

/** Two steps of x ← 0.9 x leave 0.81 x; the sync goes half of the way. */
const synced = (x: number) => 0.905 * x;
const isNear = (x: number, y: number) => Math.abs(x - y) < 1e-5 * Math.max(1, Math.abs(y));

describeWebGPU(() => {
  test('host memory: the slow weights once, and a ring that does not grow with them', async () => {
    const bytes: number[] = [];
    for (const size of [100, 1000, 100_000]) {
      const { memory, stop } = await start();
      const weight = variable([size], 1);
      const optimizer = lookahead(adam(), { chunkBytes: 512 });
      await optimizer.attach([weight]);
      const stored = 256 * Math.ceil((4 * size) / 256);
      const { host } = optimizer.stats();
      expect(host.slowBytes).toBe(stored);
      expect(memory().hostBytes).toBe(stored + host.stagingBytes);
      bytes.push(host.stagingBytes);
      optimizer.dispose();
      expect(memory().hostBytes).toBe(0);
      stop();
    }
    // One piece of 512 bytes; then four at a time, each up and down.
    expect(bytes).toEqual([2 * 512, 4 * 2 * 512, 4 * 2 * 512]);
  });

  test('lost without a warning in the middle: each value is that of this sync or of the one before', async () => {
    const { backend, weights, optimizer } = await dueSync();
    const before = await valuesOf(optimizer);
    atPiece(backend, 9, () => GPUDevice.prototype.destroy.call(backend.device));
    expect(await errorOf(() => optimizer.sync())).toMatchObject({ code: 'DEVICE_LOST' });
    const after = await valuesOf(optimizer);
    const isNew = after.map((x, i) => isNear(x, synced(before[i] as number)));
    expect(after.every((x, i) => isNew[i] === true || x === before[i])).toBe(true);
    // At most four pieces were on their way; those before them are back.
    expect(isNew.filter(Boolean).length).toBeGreaterThanOrEqual(4 * 128);
    expect(isNew.filter(Boolean).length).toBeLessThanOrEqual(9 * 128);
    optimizer.dispose();
    await new Promise((resolve) => setTimeout(resolve, 10)); // what broke off ends first
    expect(backend.hostBuffers.bytes).toBe(0);
    tf.dispose(weights);
  });

  test.each(['destroyed', 'stopped'] as const)(
    '%s in the middle: the sync comes to its end first',
    async (how) => {
      const { backend, memory, stop, optimizer } = await dueSync();
      const before = await valuesOf(optimizer);
      atPiece(backend, 5, () => (how === 'stopped' ? stop() : backend.device.destroy()));
      await optimizer.sync().catch(() => undefined);
      const after = await valuesOf(optimizer);
      expect(after.every((x, i) => isNear(x, synced(before[i] as number)))).toBe(true);
      optimizer.dispose();
      await backend.device.lost;
      expect(memory()).toMatchObject({ hostBytes: 0 });
      if (how === 'stopped') expect(memory()).toMatchObject({ allocatedBytes: 0, usedBytes: 0 });
    },
  );

  test('refused in the middle: sync() goes on where it was, to the same bits and bytes', async () => {
    const run = async (isRefused: boolean) => {
      const { backend, stop, weights, optimizer, loss } = await dueSync();
      if (isRefused) {
        atPiece(backend, 7, () => {
          throw new RangeError('no room');
        });
        await expect(optimizer.sync()).rejects.toThrow('no room');
        expect(() => optimizer.minimize(loss, false, weights)).toThrow('sync()');
      }
      await optimizer.sync();
      const { bytesPulled, bytesPushed, syncs } = optimizer.stats();
      const all = [await Promise.all(weights.map(read)), await slowOf(optimizer)];
      await optimizer.step(loss, false, weights);
      optimizer.dispose();
      expect(backend.hostBuffers.bytes).toBe(0);
      tf.dispose(weights);
      stop();
      return { all, bytesPulled, bytesPushed, syncs };
    };
    expect(await run(true)).toEqual(await run(false));
  });

  test('a weight that is disposed in the middle: the other is blended', async () => {
    const { backend, memory, weights, optimizer } = await dueSync();
    const [large, small] = weights as [tf.Variable, tf.Variable];
    const before = (await optimizer.slowWeights()).at(-1)?.values ?? [];
    atPiece(backend, 3, () => large.dispose());
    await optimizer.sync();
    const [slow = []] = await slowOf(optimizer);
    expect(slow).toEqual(await read(small));
    expect(slow.every((x, i) => isNear(x, synced(before[i] as number)))).toBe(true);
    await optimizer.finish();
    optimizer.dispose();
    expect(memory().hostBytes).toBe(0);
    small.dispose();
  });

  test('a weight that is disposed in the middle of resync(): the other is captured', async () => {
    const { backend, weights, optimizer } = await dueSync();
    const [large, small] = weights as [tf.Variable, tf.Variable];
    atPiece(backend, 3, () => large.dispose());
    await optimizer.resync();
    expect(await slowOf(optimizer)).toEqual([await read(small)]);
    optimizer.dispose();
    small.dispose();
  });

  test('dispose() in the middle ends it, and leaves no memory', async () => {
    const { backend, memory, weights, optimizer } = await dueSync();
    atPiece(backend, 6, () => queueMicrotask(() => optimizer.dispose()));
    await optimizer.sync().catch((error: unknown) => {
      expect(error).toMatchObject({ name: 'SlowlaneError' });
    });
    expect(memory().hostBytes).toBe(0);
    backend.pool.trim();
    await backend.queue.onSubmittedWorkDone();
    expect(memory().by.staging ?? 0).toBe(0);
    tf.dispose(weights);
  });

  test('a clone taken in the middle keeps its values, and the blend goes on', async () => {
    const { backend, weights, optimizer } = await dueSync();
    const [large] = weights as [tf.Variable];
    let clone: tf.Tensor | null = null;
    atPiece(backend, 4, () => (clone = large.clone()));
    await optimizer.sync();
    const [slow] = await slowOf(optimizer);
    expect(await read(large)).toEqual(slow);
    expect(clone).not.toBeNull();
    tf.dispose([...weights, clone as unknown as tf.Tensor]);
    optimizer.dispose();
  });
});
