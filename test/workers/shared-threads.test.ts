// The threads of the process, which all Lookaheads share.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { lookahead, sgd } from 'slowlane';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { Blender, BlenderOptions } from '#src/sync/blender.js';
import { Threads } from '#src/sync/node/threads.js';
import { createBlender } from '#src/sync/node/worker-blender.js';
import { blendWorker } from '#src/sync/node/worker-file.js';
import { bits, blended, BLOCK_LENGTH, type Chunk, chunkOf, noise } from './chunk.js';
import { recordThreads, type ThreadRecord } from './threads.js';

const length = BLOCK_LENGTH + 5;
const runs = [{ length, stepSize: 0.8 }];

let threads: ThreadRecord;
let blenders: Blender[] = [];

beforeEach(() => {
  threads = recordThreads();
});
afterEach(async () => {
  await Promise.all(blenders.map((blender) => blender.close()));
  blenders = [];
  expect(threads.alive.size).toBe(0);
  threads.stopRecording();
});

function make(options: Partial<BlenderOptions> = {}): Blender {
  const blender = createBlender({
    workers: 2,
    timeoutMs: 20_000,
    smallestForThreads: 0,
    ...options,
  });
  blenders.push(blender);
  return blender;
}

function chunk(seed: number): Chunk {
  return chunkOf(noise(length, seed), noise(length, seed + 0.5), runs);
}

async function expectBlends(on: Blender, seeds: readonly number[]): Promise<void> {
  const chunks = seeds.map(chunk);
  await Promise.all(chunks.map(({ job }) => on.blend(job)));
  for (const [i, { slow, fast }] of chunks.entries()) {
    const want = bits(blended(noise(length, seeds[i]!), noise(length, seeds[i]! + 0.5), runs));
    expect([bits(slow), bits(fast)]).toEqual([want, want]);
  }
}

test('20 blenders of 2 workers that nobody closes: 2 threads, not 40', async () => {
  for (let k = 0; k < 20; k++) await expectBlends(make(), [k, k + 1, k + 2]);
  expect([threads.started.length, threads.alive.size]).toEqual([2, 2]);
});

test('20 models whose optimizers nobody disposes: no thread for small ones, 2 for large ones', async () => {
  await tf.setBackend('cpu');
  for (const [units, started] of [
    [1, 0],
    [256, 2], // 2 chunks of 65,536 weights
  ] as const) {
    for (let k = 0; k < 20; k++) {
      const weights = [1, 2].map(() => tf.tidy(() => tf.variable(tf.ones([256, units]))));
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), {
        syncPeriod: 1,
        workers: 2,
        chunkBytes: 4 * 2 ** 16,
      });
      const loss = () => tf.tidy(() => tf.sum<tf.Scalar>(tf.add(weights[0]!, weights[1]!)));
      optimizer.minimize(loss, false, weights);
      await optimizer.sync();
      tf.dispose(weights);
    }
    expect(threads.started.length).toBe(started);
  }
  await Promise.all(threads.started.map((thread) => thread.terminate()));
});

test('at the same time too: 5 blenders, as many threads as the largest `workers`, 3', async () => {
  const all = [1, 2, 3, 2, 1].map((workers) => make({ workers }));
  await Promise.all(all.map((blender) => expectBlends(blender, [1, 2, 3, 4])));
  expect(threads.started.length).toBe(3);
});

test('one of 1 worker has one thread at a time, even where 3 are free', async () => {
  const [one, three] = [{ workers: 1 }, { workers: 3 }];
  const all = new Threads(blendWorker()!);
  const lent = await Promise.all([all.lend(three), all.lend(three), all.lend(three)]);
  for (const thread of lent) all.giveBack(three, thread);
  const first = await all.lend(one);
  const second = all.lend(one);
  const got = vi.fn<() => void>();
  void second.then(got);
  await new Promise((next) => setTimeout(next, 20));
  expect(got).not.toHaveBeenCalled();
  all.giveBack(one, first);
  expect(await second).toBe(first);
  all.giveBack(one, first);
  await Promise.all([all.release(one), all.release(three)]);
  expect(threads.started.length).toBe(3);
});

test('a blender that closes stops the threads that it had last, not those of another', async () => {
  const [first, second] = [make({ workers: 1 }), make({ workers: 2 })];
  await expectBlends(first, [1, 2]);
  await first.close();
  expect(threads.alive.size).toBe(0);
  await expectBlends(second, [3, 4, 5]);
  await first.close();
  expect(threads.alive.size).toBe(2);
  await expectBlends(second, [6]);
  expect(threads.started.length).toBe(1 + 2);
});

test('threads that nobody needs stop by themselves', async () => {
  const all = new Threads(blendWorker()!, 50);
  const borrower = { workers: 2 };
  const lent = await Promise.all([all.lend(borrower), all.lend(borrower)]);
  const gone = threads.started.map((thread) => once(thread, 'exit'));
  for (const thread of lent) all.giveBack(borrower, thread);
  await Promise.all(gone);
  expect(threads.alive.size).toBe(0);
  const another = await all.lend(borrower); // and new ones start
  all.giveBack(borrower, another);
  await all.release(borrower);
});

test('what is blended at once is blended inline, and says so', async () => {
  const blender = createBlender({ workers: 2, timeoutMs: 20_000 });
  const { job, slow } = chunkOf([0], [4], [{ length: 1, stepSize: 0.5 }]);
  blender.blendAtOnce(job);
  expect([...slow]).toEqual([2]);
  expect(blender.description).toBe('inline');
  await blender.close();
});

test('chunks of fewer than 65,536 weights start no thread, and one of 4 Mi does; what lies between is measured', async () => {
  const blender = createBlender({ workers: 2, timeoutMs: 20_000 });
  expect(blender.description).toBe('2 workers');
  await expectBlends(blender, [1, 2]);
  expect(blender.description).toBe('inline');
  expect(threads.started.length).toBe(0);
  const large = new Float32Array(2 ** 22);
  await blender.blend(chunkOf(large, large, [{ length: 2 ** 22, stepSize: 0.5 }]).job);
  expect(blender.description).toBe('2 workers');
  expect(threads.started.length).toBe(1);
  const here = [2 ** 16 - 1, 2 ** 16, 2 ** 20, 2 ** 22].filter((size) => blender.runsInline(size));
  expect(here).toContain(2 ** 16 - 1);
  expect(here).not.toContain(2 ** 22);
  await blender.close();
});

// With 2 workers the other one has a thread meanwhile, which goes on with the chunk too; with 1 it waits for a new one.
test.each([2, 1])(
  'a chunk that hangs costs another blender no chunk: %i workers',
  async (workers) => {
    const folder = mkdtempSync(join(tmpdir(), 'slowlane-fault-'));
    const fault = { at: 'marked', by: 'hang', block: 0, times: 1, folder };
    process.env['SLOWLANE_FAULT'] = JSON.stringify(fault);
    const warn = vi.fn<(message: string) => void>();
    const workerFile = new URL('./faulty/worker.ts', import.meta.url);
    // Time enough for the other one to be done first, where it has a thread.
    const hanging = make({ workers, workerFile, warn, timeoutMs: workers === 1 ? 2000 : 6000 });
    const other = make({ workers, workerFile, warn });
    const order: string[] = [];
    const c = chunk(1);
    const done = hanging.blend(c.job).then(() => order.push('hanging'));
    const progress = new Int32Array(c.job.memory.buffer, c.job.progressByte, 1);
    while (Atomics.load(progress, 0) !== 1) await new Promise((next) => setTimeout(next, 5)); // marked, and hung
    await expectBlends(other, [2, 3, 4]).then(() => order.push('other'));
    await done;
    if (workers > 1) expect(order).toEqual(['other', 'hanging']);
    expect(threads.started.length).toBe(2);
    expect(warn).not.toHaveBeenCalled();
    delete process.env['SLOWLANE_FAULT'];
    rmSync(folder, { recursive: true });
  },
);
