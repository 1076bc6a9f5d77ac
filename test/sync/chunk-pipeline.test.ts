// What a sync asks of the kernel and of the device: no more than is needed.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';

import type { BlendJob } from '#workers/blend.js';

import { registerEngine, unregisterEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import type { SlowFormat } from '#src/slow/slow-format.js';
import { InlineBlender } from '#src/sync/blender.js';
import { HostBlendStore } from '#src/sync/host-blend-store.js';
import { createBlender, defaultWorkers } from '#src/sync/no-worker-blender.js';
import { Segment } from '#src/sync/segment.js';
import { assign, Clock, type Item, itemOf } from './store-items.js';

beforeAll(() => tf.setBackend('cpu'));
beforeEach(() => tf.disposeVariables());
afterEach(() => unregisterEngine(tf.backend()));

/** Remembers its jobs. */
class Watching extends InlineBlender {
  readonly jobs: BlendJob[] = [];
  override runsInline(): boolean {
    return false;
  }
  override async blend(job: BlendJob): Promise<void> {
    this.jobs.push(job);
    return super.blend(job);
  }
}

/** Weights of `sizes` elements in chunks of `chunkBytes`, blended by `stepSizes`. */
async function jobsOf(
  {
    sizes,
    slow = 'host:f32',
    chunkBytes = 1 << 20,
  }: {
    sizes: number[];
    slow?: SlowFormat;
    chunkBytes?: number;
  },
  stepSizes: (number | null)[],
): Promise<readonly BlendJob[]> {
  const blender = new Watching();
  const store = new HostBlendStore<Item>({ chunkBytes, slots: 2, blender, clock: new Clock() });
  const items = sizes.map((size) =>
    itemOf(1, { shape: slow === 'host:f32' ? [size] : [size / 64, 64], slow }),
  );
  store.add(items);
  store.take(items, 0);
  const stepSizeOf = (item: Item) => stepSizes[items.indexOf(item)] ?? null;
  await store.blend({ stepSizeOf, round: 0 }).run();
  store.dispose();
  return blender.jobs;
}

test('neighbours with one α are one run; another α, and a weight between them that is frozen, begins a new one', async () => {
  const sizes = [3, 5, 2, 4, 6];
  const runs = async (...stepSizes: (number | null)[]) =>
    (await jobsOf({ sizes }, stepSizes)).map((job) => job.runs);
  expect(await runs(0.5, 0.5, 0.5, 0.5, 0.5)).toEqual([[{ length: 20, at: 0, stepSize: 0.5 }]]);
  expect(await runs(0.5, 0.5, null, 0.5, 0.25)).toEqual([
    [
      { length: 8, at: 0, stepSize: 0.5 },
      { length: 4, at: 10, stepSize: 0.5 },
      { length: 6, at: 14, stepSize: 0.25 },
    ],
  ]);
});

test('of weights that are rounded each is a run of its own', async () => {
  const [job] = await jobsOf({ sizes: [4096, 4096], slow: 'host:int8' }, [0.5, 0.5]);
  expect(job?.runs.map(({ length, at }) => [length, at])).toEqual([
    [4096, 0],
    [4096, 4096],
  ]);
});

test('a chunk in which nothing is due is not blended', async () => {
  expect(await jobsOf({ sizes: [2, 2, 2], chunkBytes: 8 }, [0.5, null, 0.5])).toHaveLength(2);
});

/** Blends here what is shorter than `threads` elements. */
class Sorting extends Watching {
  threads = 0;
  override runsInline(weights = 0): boolean {
    return weights < this.threads;
  }
}

test.each([
  ['chunks of 1 and 2 elements, all short enough: this thread blends them in one go', 3, 0],
  ['the second is too long: both go through the blender', 2, 2],
])('%s', async (_, threads, jobs) => {
  const blender = new Sorting();
  blender.threads = threads;
  const clock = new Clock();
  const store = new HostBlendStore<Item>({ chunkBytes: 8, slots: 2, blender, clock });
  const items = [itemOf(1, { shape: [1] }), itemOf(1, { shape: [2] })];
  store.add(items);
  store.take(items, 0);
  const start = performance.now();
  await store.blend({ stepSizeOf: () => 0.5, round: 0 }).run();
  expect(blender.jobs).toHaveLength(jobs);
  const times = (phase: string) => clock.phases.filter((each) => each === phase).length;
  expect([times('pull'), times('push')]).toEqual([2, 2]);
  expect(times('blend')).toBeGreaterThanOrEqual(2);
  expect(clock.ms).toBeLessThanOrEqual(performance.now() - start);
  store.dispose();
});

test('a blender without threads blends here', async () => {
  const blender = new InlineBlender();
  expect(blender.runsInline()).toBe(true);
  const [blend, atOnce] = [vi.spyOn(blender, 'blend'), vi.spyOn(blender, 'blendAtOnce')];
  const store = new HostBlendStore<Item>({ chunkBytes: 8, slots: 2, blender, clock: new Clock() });
  const item = itemOf(1);
  store.add([item]);
  await store.blend({ stepSizeOf: () => 0.5, round: 0 }).run();
  expect([blend, atOnce].map(({ mock }) => mock.calls.length)).toEqual([0, 2]);
  store.dispose();
});

test.each([
  ['in one go', InlineBlender],
  ['chunk by chunk', Watching],
])('%s, a frozen weight is neither read nor written', async (_, Chosen) => {
  const blender = new Chosen();
  const store = new HostBlendStore<Item>({ chunkBytes: 64, slots: 1, blender, clock: new Clock() });
  const [moving, frozen] = [itemOf(1), itemOf(5)];
  store.add([moving, frozen]);
  const device = currentDevice();
  const touched: [string, tf.Tensor][] = [];
  registerEngine(tf.backend(), {
    device: {
      ...device,
      pull(tensor, ...rest) {
        touched.push(['pull', tensor]);
        return device.pull(tensor, ...rest);
      },
      write() {
        const writer = device.write();
        return {
          push(variable, ...rest) {
            touched.push(['push', variable]);
            return writer.push(variable, ...rest);
          },
        };
      },
    },
  });
  const stepSizeOf = (item: Item) => (item === moving ? 0.5 : null);
  await store.blend({ stepSizeOf, round: 0 }).run();
  expect(touched).toEqual([
    ['pull', moving.variable],
    ['push', moving.variable],
  ]);
  expect([...moving.variable.dataSync()]).toEqual([0.5, 1, 1.5]);
  expect([...frozen.variable.dataSync()]).toEqual([5, 6, 7]);
  store.dispose();
});

test('where the device is host memory, slow weights are not shared, whatever the platform has', async () => {
  const device = currentDevice();
  const targets: ArrayBufferLike[] = [];
  const pull: typeof device.pull = (tensor, start, into) => {
    targets.push(into.buffer);
    return device.pull(tensor, start, into);
  };
  registerEngine(tf.backend(), { device: { ...device, isHostMemory: true, pull } });
  const blender = new InlineBlender();
  const store = new HostBlendStore<Item>({ chunkBytes: 8, slots: 1, blender, clock: new Clock() });
  const item = itemOf(1, { shape: [2] });
  store.add([item]);
  await store.capture(new Map([[item.variable, item.variable]]), 0);
  expect(targets.map((buffer) => buffer instanceof SharedArrayBuffer)).toEqual([false]);
  store.dispose();
});

test('weights of fp16 are looked through once if they fit, and a NaN or an infinity in them is found', async () => {
  const blender = new InlineBlender();
  const store = new HostBlendStore<Item>({
    chunkBytes: 2 ** 20,
    slots: 1,
    blender,
    clock: new Clock(),
  });
  const items = [1, 2].map(() => itemOf(1, { shape: [64, 64], slow: 'host:f16' }));
  store.add(items);
  const kernels = vi.spyOn(tf.engine(), 'runKernel');
  expect(await store.inspect(items, [])).toBeNull();
  expect(kernels.mock.calls.map(([name]) => name)).not.toContain('Sum');
  kernels.mockRestore();
  const second = items[1] as Item;
  for (const value of [NaN, Infinity]) {
    assign(second, Array<number>(4096).fill(value));
    expect(await store.inspect(items, [])).toBe(second.variable);
    expect(second.isKeptInF32).toBe(false);
  }
  assign(second, Array<number>(4096).fill(70_000));
  expect(await store.inspect(items, [])).toBeNull();
  expect(items.map(({ isKeptInF32 }) => isKeptInF32)).toEqual([false, true]);
  store.dispose();
});

test('float32 is captured straight into its place, and compared with no limit', async () => {
  const clock = new Clock();
  const store = new HostBlendStore<Item>({
    chunkBytes: 8,
    slots: 1,
    blender: new InlineBlender(),
    clock,
  });
  const item = itemOf(1);
  store.add([item]);
  const device = currentDevice();
  const targets: ArrayBufferLike[] = [];
  registerEngine(tf.backend(), {
    device: {
      ...device,
      pull(variable, start, into) {
        targets.push(into.buffer);
        return device.pull(variable, start, into);
      },
    },
  });
  const kernels = vi.spyOn(tf.engine(), 'runKernel');
  await store.capture(new Map([[item.variable, item.variable]]), 0);
  expect(kernels.mock.calls.map(([name]) => name)).not.toContain('LessEqual');
  kernels.mockRestore();
  // Two chunks, of two elements and of one.
  expect(targets.map((buffer) => buffer instanceof SharedArrayBuffer)).toEqual([true, true]);
  expect([...store.read(item)]).toEqual([1, 2, 3]);
  store.dispose();
});

test('a second memory begins with the first element of its chunks', () => {
  const part = { item: null, start: 0, offset: 0, length: 2 };
  // Behind 2 GiB of float32.
  const chunks = [0, 2].map((at) => ({ offset: 2 ** 29 + at, length: 2, parts: [part] }));
  const segment = new Segment(chunks, 'f32', { slots: 1, isForThreads: true });
  expect(segment.bytes).toBeLessThan(8192);
  for (const [i, chunk] of chunks.entries()) {
    segment.write(chunk, part, Float32Array.of(i, i + 0.5), { item: 0, round: 0 });
  }
  expect(chunks.map((chunk) => [...segment.values(chunk, part)])).toEqual([
    [0, 0.5],
    [1, 1.5],
  ]);
  expect(segment.job(chunks[1] as (typeof chunks)[0], 0, [], 0).slowByte).toBe(8);
});

test('where there are no threads of Node: none by default, and the blend is inline', () => {
  expect(defaultWorkers()).toBe(0);
  expect(createBlender({ workers: 4, timeoutMs: 1 })).toBeInstanceOf(InlineBlender);
});
