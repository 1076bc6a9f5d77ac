// Values from the host to a weight: whose memory it has then.

import { beforeAll, expect, test } from 'vitest';

import { currentDevice } from '#src/engines/current-device.js';

import { opsOf, start, variable } from './engine.js';

beforeAll(async () => void (await start()));

test('a weight has memory of its own, so nothing of it changes with the array that it was given', async () => {
  const { engine, backend } = await start();
  const x = variable([64], 1);
  x.square().dispose(); // it is there
  const before = await engine.memory();
  const values = new Float32Array(new SharedArrayBuffer(256)).fill(7); // aligned: TensorFlow reads it in place
  const ops = opsOf(backend, () => void currentDevice().write().push(x, 0, values));
  values.fill(9);
  expect(new Set(x.dataSync())).toEqual(new Set([7]));
  expect(ops).toEqual(['Snapshot']);
  expect(await engine.memory()).toMatchObject({
    tensors: before.tensors,
    tensorBytes: before.tensorBytes,
  });
  x.dispose();
});

test('TensorFlow has no memory for it: the values wait on the host, and the next op uploads them', async () => {
  const { backend } = await start();
  const x = variable([3], 1);
  const fail = (name: string) => {
    if (name === 'Snapshot') throw new Error('no memory');
  };
  const values = Float32Array.of(4, 5, 6);
  const push = () => void currentDevice().write().push(x, 0, values);
  expect(() => opsOf(backend, push, fail)).toThrow('no memory');
  values.fill(0);
  expect([...x.square().dataSync()]).toEqual([16, 25, 36]);
  expect([...x.dataSync()]).toEqual([4, 5, 6]);
  x.dispose();
});
