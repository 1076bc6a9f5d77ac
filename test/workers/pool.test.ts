import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Blender, InlineBlender } from '#src/sync/blender.js';
import { createBlender, defaultWorkers } from '#src/sync/node/worker-blender.js';
import { bits, blended, BLOCK_LENGTH, type Chunk, chunkOf, noise } from './chunk.js';
import type { Fault } from './faulty/worker.js';
import { recordThreads, type ThreadRecord } from './threads.js';

const faultyWorker = new URL('./faulty/worker.ts', import.meta.url);

// 3 blocks and a tail, so that a fault in the second block has work before and after it
const length = 3 * BLOCK_LENGTH + 5;
const runs = [{ length, stepSize: 0.8 }];

let threads: ThreadRecord;
let folder: string;
let blender: Blender | undefined;

beforeEach(() => {
  threads = recordThreads();
  folder = mkdtempSync(join(tmpdir(), 'slowlane-fault-'));
});
afterEach(async () => {
  await blender?.close();
  expect(threads.alive.size).toBe(0);
  threads.stopRecording();
  rmSync(folder, { recursive: true });
  delete process.env['SLOWLANE_FAULT'];
});

function breakWorkers(fault: Omit<Fault, 'folder'>): void {
  process.env['SLOWLANE_FAULT'] = JSON.stringify({ ...fault, folder });
}

function makeBlender(workers: number, workerFile?: URL, timeoutMs = 20_000) {
  const warn = vi.fn<(message: string) => void>();
  blender = createBlender({
    workers,
    timeoutMs,
    warn,
    smallestForThreads: 0,
    ...(workerFile === undefined ? {} : { workerFile }),
  });
  return { blender, warn };
}

function chunk(seed: number): Chunk {
  return chunkOf(noise(length, seed), noise(length, seed + 0.5), runs);
}
function expectBlended({ slow, fast }: Chunk, seed: number): void {
  const want = bits(blended(noise(length, seed), noise(length, seed + 0.5), runs));
  expect(bits(slow)).toEqual(want);
  expect(bits(fast)).toEqual(want);
}
async function expectBlends(on: Blender, seeds: readonly number[]): Promise<void> {
  const chunks = seeds.map(chunk);
  await Promise.all(chunks.map(({ job }) => on.blend(job)));
  chunks.forEach((c, i) => expectBlended(c, seeds[i]!));
}

describe('without a fault', () => {
  test('two threads blend many chunks at once, start at the first of them and stop at close', async () => {
    const { blender: pool, warn } = makeBlender(2);
    expect(pool.description).toBe('2 workers');
    expect(threads.started.length).toBe(0);
    await expectBlends(pool, [1, 2, 3, 4, 5, 6, 7]);
    expect(threads.started.length).toBe(2);
    await pool.close();
    expect(threads.alive.size).toBe(0);
    expect(warn).not.toHaveBeenCalled();
  });

  test('a closed blender starts anew', async () => {
    const { blender: pool } = makeBlender(1);
    expect(pool.description).toBe('1 worker');
    await pool.close();
    await expectBlends(pool, [1]);
    await pool.close();
    await expectBlends(pool, [2]);
    expect(threads.started.length).toBe(2);
  });

  test('close waits for the chunks under way', async () => {
    const { blender: pool } = makeBlender(1);
    const c = chunk(1);
    const done = pool.blend(c.job);
    await pool.close();
    expectBlended(c, 1);
    await done;
    expect(threads.started.length).toBe(1);
  });

  test('memory that threads cannot see is blended inline', async () => {
    const { blender: pool, warn } = makeBlender(2);
    const c = chunkOf([0], [4], [{ length: 1, stepSize: 0.5 }], { shared: false });
    await pool.blend(c.job);
    expect([c.slow[0], c.fast[0]]).toEqual([2, 2]);
    expect(threads.started.length).toBe(0);
    expect(warn).not.toHaveBeenCalled();
  });

  test('0 workers blend inline', async () => {
    const inline = makeBlender(0).blender;
    expect(inline).toBeInstanceOf(InlineBlender);
    expect(inline.description).toBe('inline');
    await expectBlends(inline, [1, 2]);
    await inline.close();
    expect(threads.started.length).toBe(0);
  });

  test('at least one worker by default', () => {
    expect(defaultWorkers()).toBeGreaterThanOrEqual(1);
  });
});

describe('a thread that fails once costs nothing but time', () => {
  test.each([
    ['start', 'exit'],
    ['start', 'uncaught'],
    ['mid-compute', 'exit'],
    ['mid-compute', 'throw'],
    ['mid-compute', 'scribble'],
    ['computed', 'exit'],
    ['marked', 'exit'],
    ['marked', 'hang'],
    ['mid-copy', 'exit'],
    ['between copies', 'exit'],
    ['end', 'exit'],
    ['end', 'uncaught'],
  ] as const)('at %s, by %s', async (at, by) => {
    breakWorkers({ at, by, block: 1, times: 1 });
    const { blender: pool, warn } = makeBlender(
      1,
      faultyWorker,
      by === 'hang' || by === 'scribble' ? 3000 : 20_000,
    );
    await expectBlends(pool, [1, 2]);
    expect([threads.started.length, threads.alive.size]).toEqual([2, 1]);
    expect(pool.description).toBe('1 worker');
    expect(warn).not.toHaveBeenCalled();
  });

  test('beside one that is at work: only one thread dies, and one at most replaces it', async () => {
    breakWorkers({ at: 'mid-copy', by: 'exit', block: 1, times: 1 });
    const { blender: pool, warn } = makeBlender(2, faultyWorker);
    await expectBlends(pool, [1, 2, 3, 4, 5]);
    // On a busy machine the other thread may have done all chunks before a new one is needed: 2 started, 1 alive.
    expect(threads.started.length - threads.alive.size).toBe(1);
    expect(threads.started.length).toBeLessThanOrEqual(3);
    expect(warn).not.toHaveBeenCalled();
  });

  test('terminated from outside while it works', async () => {
    breakWorkers({ at: 'marked', by: 'hang', block: 1, times: 1 });
    const { blender: pool, warn } = makeBlender(1, faultyWorker);
    const c = chunk(1);
    const done = pool.blend(c.job);
    const progress = new Int32Array(c.job.memory.buffer, c.job.progressByte, 1);
    while (Atomics.load(progress, 0) !== 3) await new Promise((next) => setTimeout(next, 5)); // 2·1 + 1: marked
    await threads.started[0]!.terminate();
    await done;
    expectBlended(c, 1);
    expect(warn).not.toHaveBeenCalled();
  });

  test('killed while idle: the next chunks get new threads', async () => {
    const { blender: pool, warn } = makeBlender(2);
    await expectBlends(pool, [1]);
    await threads.started[0]!.terminate();
    await expectBlends(pool, [2, 3]);
    expect(threads.alive.size).toBe(2);
    // and when the news of its death has not arrived yet
    const gone = once(threads.started.at(-1)!, 'exit');
    void threads.started.at(-1)!.terminate();
    await expectBlends(pool, [4, 5]);
    await gone;
    await expectBlends(pool, [6]);
    expect(warn).not.toHaveBeenCalled();
  });
});

describe('threads that always fail', () => {
  test.each([
    ['start', 'exit'],
    ['mid-copy', 'exit'],
    ['mid-compute', 'throw'],
  ] as const)('at %s by %s: inline for good, with exactly one warning', async (at, by) => {
    breakWorkers({ at, by, block: 0, times: 1000 });
    const { blender: pool, warn } = makeBlender(1, faultyWorker);
    await expectBlends(pool, [1, 2, 3]);
    expect(pool.description).toBe('inline');
    const before = threads.started.length;
    await expectBlends(pool, [4, 5]);
    await pool.close();
    await expectBlends(pool, [6]);
    expect(threads.started.length).toBe(before);
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]![0]).toMatch(
      /worker threads do not work here \(.+\).* Set workers: 0/,
    );
  });

  test('a worker file that does not exist: the same', async () => {
    const { blender: pool, warn } = makeBlender(2, new URL('./faulty/missing.js', import.meta.url));
    await expectBlends(pool, [1, 2, 3]);
    expect(pool.description).toBe('inline');
    expect(warn).toHaveBeenCalledOnce();
  });

  test('a process that may start no threads: the same, at once', async () => {
    const threadModule = (await import('node:worker_threads')).default;
    const spy = vi.spyOn(threadModule, 'Worker').mockImplementation(function () {
      throw new Error('no threads today');
    });
    const { blender: pool, warn } = makeBlender(2);
    await expectBlends(pool, [1, 2, 3]);
    expect(spy).toHaveBeenCalledOnce();
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]![0]).toContain('no threads today');
    spy.mockRestore();
  });

  test('three failures in a row are survived, and a success starts the count anew: 3 + 1', async () => {
    breakWorkers({ at: 'end', by: 'exit', block: 0, times: 3 });
    const { blender: pool, warn } = makeBlender(1, faultyWorker);
    await expectBlends(pool, [1]);
    rmSync(join(folder, '0'));
    await expectBlends(pool, [2]);
    expect(threads.started.length).toBe(1 + 3 + 1);
    expect(pool.description).toBe('1 worker');
    expect(warn).not.toHaveBeenCalled();
  });
});

test('a job that is wrong in itself rejects with its error, and the others are done', async () => {
  const { blender: pool } = makeBlender(1);
  const good = chunk(1);
  const bad = { ...chunk(2).job, progressByte: 3 };
  const [failed] = await Promise.allSettled([pool.blend(bad), pool.blend(good.job)]);
  expect(failed).toMatchObject({ status: 'rejected', reason: { name: 'RangeError' } });
  expectBlended(good, 1);
});
