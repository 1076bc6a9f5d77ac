// The ring of mapped pairs, with a stand-in for the device: which pairs there are, and where bytes go.

import { expect, test } from 'vitest';

import { DeviceErrors } from '#src/engines/webgpu/device-errors.js';
import { HostBuffers } from '#src/engines/webgpu/host-memory/host-buffers.js';
import type { MappedPair } from '#src/engines/webgpu/host-memory/mapped-pair.js';
import { Slices } from '#src/engines/webgpu/host-memory/slices.js';
import { TransferRing } from '#src/engines/webgpu/host-memory/transfer-ring.js';

const USAGE = { MAP_READ: 1, MAP_WRITE: 2, COPY_SRC: 4, COPY_DST: 8 };
Object.assign(globalThis, { GPUBufferUsage: USAGE, GPUMapMode: { READ: 1, WRITE: 2 } });

/** Buffers of a device that copies nothing: a test writes into a download itself. */
function makeRing(room = Infinity) {
  let used = 0;
  const maps: (() => void)[] = [];
  const device = {
    lost: new Promise(() => {}),
    addEventListener() {},
    pushErrorScope() {},
    popErrorScope: async () => null,
    createBuffer({ size }: { size: number }) {
      if (used + size > room) throw new RangeError('full');
      used += size;
      const memory = new ArrayBuffer(size);
      return {
        size,
        unmap() {},
        destroy: () => (used -= size),
        getMappedRange: () => memory,
        mapAsync: () => new Promise<void>((resolve) => maps.push(resolve)),
      };
    },
  } as unknown as GPUDevice;
  const buffers = new HostBuffers(device);
  const ring = new TransferRing(buffers, new DeviceErrors(device));
  const mapAll = () => maps.splice(0).forEach((resolve) => resolve());
  return { ring, buffers, mapAll, used: () => used };
}

const slices = Slices.beside();
const taken = async (ring: TransferRing) => (await ring.take()) as MappedPair;

/** A ring of one pair of 4 bytes, which is away; `downloaded` is what it has when it comes back. */
async function withPairAway(downloaded: readonly number[]) {
  const made = makeRing();
  made.ring.reserve(1, 4);
  const pair = await taken(made.ring);
  const download = new Uint8Array(pair.download.getMappedRange());
  pair.handOver(true);
  download.set(downloaded);
  return { ...made, pair };
}

test('two pairs of 8 bytes are 32 bytes; larger or more ones replace them, and all of it is given back', async () => {
  const { ring, buffers, used } = makeRing();
  ring.reserve(2, 8);
  expect([ring.bytes, buffers.bytes, used()]).toEqual([32, 32, 32]);
  ring.reserve(1, 4);
  expect(ring.bytes).toBe(32);
  ring.reserve(3, 8);
  expect([ring.bytes, used()]).toEqual([48, 48]);
  ring.reserve(2, 16);
  expect([ring.bytes, used()]).toEqual([64, 64]);
  ring.release();
  expect([ring.bytes, buffers.bytes, used()]).toEqual([0, 0, 0]);
  ring.reserve(1, 4);
  expect(used()).toBe(8);
});

test('no memory for the second of larger pairs: the ring is as it was', () => {
  const { ring, used } = makeRing(32 + 32);
  ring.reserve(2, 8);
  expect(() => ring.reserve(2, 16)).toThrow('no 16 B of host memory');
  expect([ring.bytes, used()]).toEqual([32, 32]);
});

test('who takes the last pair waits for the first that comes back, with its bytes in plain memory', async () => {
  const { ring, mapAll, pair } = await withPairAway([1, 2, 3, 4]);
  const into = new Uint8Array(3);
  const back = ring.comesBack(pair, Promise.resolve(), into, slices);
  let isThere = false;
  const next = ring.take().then((one) => ((isThere = true), one));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect([isThere, ...into]).toEqual([false, 0, 0, 0]);
  mapAll();
  expect(await next).toBe(pair);
  await back;
  expect([...into]).toEqual([1, 2, 3]);
});

test('what a device that failed has downloaded is not taken, and the pair is there again', async () => {
  const { ring, mapAll, pair } = await withPairAway([9, 9, 9, 9]);
  const into = new Uint8Array(4);
  const failed = Promise.reject(new Error('it failed'));
  const back = ring.comesBack(pair, failed, into, slices);
  mapAll();
  await expect(back).rejects.toThrow('it failed');
  expect([...into]).toEqual([0, 0, 0, 0]);
  expect(await taken(ring)).toBe(pair);
});

test('released while a pair is away: it does not come back, and nobody waits for it', async () => {
  const { ring, mapAll, used, pair } = await withPairAway([9, 9, 9, 9]);
  const into = new Uint8Array(4);
  const back = ring.comesBack(pair, Promise.resolve(), into, slices);
  ring.release();
  mapAll();
  await back;
  expect(used()).toBe(0);
  expect(await ring.take()).toBeNull();
});
