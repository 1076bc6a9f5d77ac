// Other files for the threads to run: what counts as a bundle, how often one is tried, and what a thread inherits.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os, { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { Blender, BlenderOptions } from '#src/sync/blender.js';
import { Threads } from '#src/sync/node/threads.js';
import { createBlender, defaultWorkers } from '#src/sync/node/worker-blender.js';
import { type Chunk, chunkOf } from './chunk.js';
import { recordThreads, type ThreadRecord } from './threads.js';

let threads: ThreadRecord;
let folder: string;
let blenders: Blender[];

beforeEach(() => {
  threads = recordThreads();
  folder = mkdtempSync(join(tmpdir(), 'slowlane-worker-'));
  blenders = [];
});
afterEach(async () => {
  await Promise.all(blenders.map((blender) => blender.close()));
  expect(threads.alive.size).toBe(0);
  threads.stopRecording();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

let files = 0;
function worker(source: string): URL {
  const file = join(folder, `worker-${files++}.mjs`);
  writeFileSync(file, source);
  return pathToFileURL(file);
}

function make(workerFile: URL, options: Partial<BlenderOptions> = {}): Blender {
  const blender = createBlender({ workers: 1, timeoutMs: 20_000, workerFile, ...options });
  blenders.push(blender);
  return blender;
}

/** From 0 half of the way to 4. */
const chunk = (): Chunk => chunkOf([0], [4], [{ length: 1, stepSize: 0.5 }]);

test('one core is left to the thread that trains, and one worker is the least', () => {
  const cores = vi.spyOn(os, 'availableParallelism');
  const workers = [1, 2, 8].map((count) => {
    cores.mockReturnValue(count);
    syncBuiltinESMExports();
    return defaultWorkers();
  });
  cores.mockRestore();
  syncBuiltinESMExports();
  expect(workers).toEqual([1, 1, 7]);
});

test('a worker of plain JavaScript gets every chunk, and no flags of the process', async () => {
  const file = worker(`export default ({ memory, slowByte }) => {
    new Float32Array(memory.buffer, slowByte, 1)[0] = 100 + process.execArgv.length;
  };`);
  const { job, slow } = chunk();
  await make(file).blend(job);
  expect(slow[0]).toBe(100);
});

test('a module that a worker lacks: it is not tried again, and the warning names bundles', async () => {
  for (const source of [
    `import 'slowlane-is-not-here'; export default () => {};`,
    `import { createRequire } from 'node:module';
     createRequire(import.meta.url)('./slowlane-is-not-here.cjs');
     export default () => {};`,
  ]) {
    const before = threads.started.length;
    const warn = vi.fn<(message: string) => void>();
    const { job, slow } = chunk();
    await make(worker(source), { warn }).blend(job);
    expect(slow[0]).toBe(2);
    expect(threads.started.length - before).toBe(1);
    expect(warn.mock.calls.map(([message]) => message)).toEqual([
      expect.stringMatching(
        /do not work here \(bundled: keep piscina and slowlane external; .*slowlane-is-not-here/,
      ),
    ]);
  }
});

test('one chunk that always fails: 1 + 3 threads, then inline for good, and the warning has the reason alone', async () => {
  const file = worker(`export default () => { throw new Error('not today'); };`);
  const warn = vi.fn<(message: string) => void>();
  const blender = make(file, { warn });
  for (let i = 0; i < 2; i++) {
    const { job, slow } = chunk();
    await blender.blend(job);
    expect(slow[0]).toBe(2);
    expect([threads.started.length, blender.description]).toEqual([4, 'inline']);
  }
  expect(warn.mock.calls.map(([message]) => message)).toEqual([
    expect.stringContaining('do not work here (not today), so'),
  ]);
});

test('a chunk that fails 4 times while others succeed is blended inline, and the threads go on', async () => {
  // α = ½ fails; the others count as done.
  const file = worker(`export default ({ runs }) => {
    if (runs[0].stepSize === 0.5) throw new Error('this one');
  };`);
  const warn = vi.fn<(message: string) => void>();
  const blender = make(file, { warn });
  const bad = chunk();
  const done = blender.blend(bad.job);
  const others = [1, 2, 3].map(() => chunkOf([0], [4], [{ length: 1, stepSize: 0.25 }]));
  await Promise.all([done, ...others.map(({ job }) => blender.blend(job))]);
  expect(bad.slow[0]).toBe(2);
  expect(others.map(({ slow }) => slow[0])).toEqual([0, 0, 0]);
  expect([threads.started.length, blender.description]).toEqual([4, '1 worker']);
  expect(warn).not.toHaveBeenCalled();
});

test('without `warn` the console says it once for all blenders, and another reason again', async () => {
  const said = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const missing = ['one.js', 'one.js', 'two.js'].map((name) => pathToFileURL(join(folder, name)));
  for (const file of missing) await make(file).blend(chunk().job);
  expect(said.mock.calls.map(([message]) => String(message))).toEqual([
    expect.stringContaining('one.js'),
    expect.stringContaining('two.js'),
  ]);
});

describe('a thread that answers in time is not taken for one that hangs', () => {
  /** The thread has started, which may take longer. */
  const started = async () => {
    const file = worker('export default () => {};');
    await make(file).blend(chunk().job);
    return make(file, { timeoutMs: 500 });
  };

  test('however long it is idle afterwards', async () => {
    const blender = await started();
    await blender.blend(chunk().job);
    await new Promise((next) => setTimeout(next, 700));
    await blender.blend(chunk().job);
    expect(threads.started.length).toBe(1);
  });

  test('even if its answer waits until this thread has time', async () => {
    const blender = await started();
    const second = blender.blend(chunk().job);
    await new Promise((next) => setImmediate(next)); // the chunk is on its way
    const busyUntil = performance.now() + 700;
    while (performance.now() < busyUntil);
    await second;
    await blender.blend(chunk().job);
    expect(threads.started.length).toBe(1);
  });
});

test('of two idle threads the older one stops alone, and the other one is lent again', async () => {
  const all = new Threads(worker('export default () => {};'), 400);
  const borrower = { workers: 2 };
  const [older, newer] = [await all.lend(borrower), await all.lend(borrower)];
  const gone = once(threads.started[0]!, 'exit');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  all.giveBack(borrower, older);
  vi.advanceTimersByTime(250);
  all.giveBack(borrower, newer);
  vi.advanceTimersByTime(200);
  vi.useRealTimers();
  await gone;
  expect(await all.lend(borrower)).toBe(newer);
  expect(threads.started.length).toBe(2);
  all.giveBack(borrower, newer);
  await all.release(borrower);
});
