// How fast bytes are copied: within host memory, to a worker thread and back through shared memory, to the device
// and from it. Each takes a fraction of a second, in its own process.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import type { ChosenAdapter } from '../../engines/webgpu/adapters.js';
import { requestDevice } from '../../engines/webgpu/adapters.js';
import { mapped, workDone } from '../../engines/webgpu/waiting.js';
import { findAdapters } from './list-adapters.js';
import type { SpeedReport } from './report.js';

const MIB = 2 ** 20;
const HOST_BYTES = 64 * MIB;
const DEVICE_BYTES = 32 * MIB;
/** For one kind of copy. */
const BUDGET_MS = 300;
const MOST_ROUNDS = 20;
/** Odd, because the median of them counts. */
const WAITS = 15;
const WAIT_BYTES = 256;

/** The other end; as text, since a thread can't start with a file of TypeScript's in Node 20. */
const ECHO = `
  const { parentPort, workerData } = require('node:worker_threads');
  const [there, back] = workerData.map((memory) => new Uint8Array(memory));
  parentPort.on('message', () => {
    back.set(there);
    parentPort.postMessage('copied');
  });
`;

export async function hostSpeeds(): Promise<SpeedReport[]> {
  const from = new Uint8Array(HOST_BYTES).fill(1);
  const into = new Uint8Array(HOST_BYTES).fill(2); // memory that nobody has written may have no pages yet
  const copy = await best(HOST_BYTES, () => into.set(from));
  const shared = await sharedMemorySpeed(from, into);
  const report = { software: false, bytes: HOST_BYTES };
  return [
    { what: 'copy in host memory', gbPerSecond: copy, ...report },
    { what: 'to a worker and back', gbPerSecond: shared, ...report },
  ];
}

/** Into shared memory, a copy within it by the worker, and out: each byte goes there and comes back. */
async function sharedMemorySpeed(from: Uint8Array, into: Uint8Array): Promise<number> {
  // The bare memory: Deno copies the bytes of a view in workerData, one by one, which takes minutes.
  const workerData = [new SharedArrayBuffer(HOST_BYTES), new SharedArrayBuffer(HOST_BYTES)];
  const [there, back] = workerData.map((memory) => new Uint8Array(memory).fill(1)) as [
    Uint8Array,
    Uint8Array,
  ];
  const worker = new Worker(ECHO, { eval: true, workerData });
  try {
    return await best(2 * HOST_BYTES, async () => {
      there.set(from);
      const answer = once(worker, 'message'); // rejects at an error
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows; this is a thread
      worker.postMessage('copy');
      await answer;
      into.set(back);
    });
  } finally {
    await worker.terminate();
  }
}

/** On the adapter that an engine would take. */
export async function deviceSpeeds(): Promise<SpeedReport[]> {
  const chosen = await chooseOne();
  return chosen === undefined ? [] : measureDevice(chosen);
}

async function chooseOne(): Promise<ChosenAdapter | undefined> {
  const adapters = [...(await findAdapters()).values()];
  return adapters.find(({ software }) => !software) ?? adapters[0];
}

/** Milliseconds until a few bytes are back from an idle device, which each read of a loss waits for: the median. */
export async function gpuWait(): Promise<number | null> {
  const chosen = await chooseOne();
  if (chosen === undefined) return null;
  const device = await requestDevice(chosen.adapter);
  const { MAP_READ, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const there = device.createBuffer({ size: WAIT_BYTES, usage: COPY_SRC | COPY_DST });
  const down = device.createBuffer({ size: WAIT_BYTES, usage: MAP_READ | COPY_DST });
  const waits: number[] = [];
  while (waits.length < WAITS) {
    await workDone(device);
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(there, 0, down, 0, WAIT_BYTES);
    device.queue.submit([encoder.finish()]);
    await mapped(device, down, GPUMapMode.READ);
    waits.push(performance.now() - start);
    down.unmap();
  }
  device.destroy();
  return waits.toSorted((a, b) => a - b)[(WAITS - 1) / 2] ?? null;
}

async function measureDevice({ adapter, software }: ChosenAdapter): Promise<SpeedReport[]> {
  const device = await requestDevice(adapter);
  const bytes = Math.min(DEVICE_BYTES, device.limits.maxBufferSize);
  const { MAP_WRITE, MAP_READ, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const up = device.createBuffer({ size: bytes, usage: MAP_WRITE | COPY_SRC });
  const there = device.createBuffer({ size: bytes, usage: COPY_SRC | COPY_DST });
  const down = device.createBuffer({ size: bytes, usage: MAP_READ | COPY_DST });
  const host = new Uint8Array(bytes).fill(1);
  const copied = (from: GPUBuffer, to: GPUBuffer) => {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
    device.queue.submit([encoder.finish()]);
    return workDone(device);
  };
  const upload = await best(bytes, async () => {
    await mapped(device, up, GPUMapMode.WRITE);
    new Uint8Array(up.getMappedRange()).set(host);
    up.unmap();
    await copied(up, there);
  });
  host.fill(0);
  const download = await best(bytes, async () => {
    await copied(there, down);
    await mapped(device, down, GPUMapMode.READ);
    host.set(new Uint8Array(down.getMappedRange()));
    down.unmap();
  });
  // Dawn reports nothing of an allocation that failed but this.
  if (host.some((byte) => byte !== 1)) throw new Error('what came back is not what was uploaded');
  device.destroy();
  return [
    { what: 'upload to the device', gbPerSecond: upload, software, bytes },
    { what: 'download from the device', gbPerSecond: download, software, bytes },
  ];
}

/** 10⁹ bytes a second, of the fastest round after the first, which warms up. */
async function best(bytes: number, round: () => void | Promise<void>): Promise<number> {
  await round();
  const until = performance.now() + BUDGET_MS;
  let fastestMs = Infinity;
  for (let i = 0; i < MOST_ROUNDS && (i < 2 || performance.now() < until); i++) {
    const start = performance.now();
    await round();
    fastestMs = Math.min(fastestMs, performance.now() - start);
  }
  return bytes / fastestMs / 1e6;
}
