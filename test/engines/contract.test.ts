// The contract of device.ts, kept by every adapter on every engine it is for.

import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, test } from 'vitest';

import { cpuDevice, genericDevice } from '#src/engines/portable/devices.js';
import type { Device } from '#src/engine/device.js';
import { currentDevice } from '#src/engines/current-device.js';

import { onEveryEngine, valuesOf } from '../engines.js';
import { onWasm } from './wasm/compare.js';
import { describeWebGPU, start } from './webgpu/engine.js';

/** A view in the middle of shared memory, as the store gives them. */
function shared(values: readonly number[]): Float32Array {
  const view = new Float32Array(new SharedArrayBuffer(4 * (values.length + 2)), 4, values.length);
  view.set(values);
  return view;
}

/** WebGPU has no synchronous read. */
const read = async (tensor: tf.Tensor) => [...(await tensor.data())];

const contract = () => {
  const adapters: [string, () => Device][] = [
    ['the adapter of this engine', currentDevice],
    ['the generic adapter', () => genericDevice],
  ];

  describe.each(adapters)('%s', (_, adapter) => {
    test('pull copies a part into a view of shared memory and touches nothing beside it', async () => {
      const x = tf.tensor2d([
        [0, 1, 2],
        [3, 4, 5],
      ]);
      const whole = shared([9, 9, 9, 9, 9]);
      await adapter().pull(x, 2, whole.subarray(1, 4));
      expect([...whole]).toEqual([9, 2, 3, 4, 9]);
      await adapter().pull(x, 0, shared([0, 0, 0, 0, 0, 0]));
      expect(await read(x)).toEqual([0, 1, 2, 3, 4, 5]);
    });

    test('what was pulled is a copy: writing to it does not reach the tensor', async () => {
      const x = tf.tensor1d([1, 2]);
      const into = new Float32Array(2);
      await adapter().pull(x, 0, into);
      into.fill(7);
      expect(await read(x)).toEqual([1, 2]);
    });

    test('push in parts replaces a variable, and what was pushed may change afterwards', async () => {
      const x = tf.variable(tf.zeros([2, 3]));
      const writer = adapter().write();
      const part = shared([1, 2, 3, 4]);
      await writer.push(x, 0, part);
      part.fill(99);
      await writer.push(x, 4, shared([5, 6]));
      part.fill(98);
      expect(await read(x)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(x.shape).toEqual([2, 3]);
    });

    test('what was pushed is what the next matMul and conv see (XNNPACK caches matrices)', async () => {
      const [row, image] = [tf.ones([1, 2]), tf.ones([1, 1, 1, 2])];
      const x = tf.variable(tf.ones([2, 2]));
      const filter = tf.variable(tf.ones([1, 1, 2, 2]));
      const results = () =>
        Promise.all(
          [
            tf.matMul(row, x),
            tf.conv2d(image as tf.Tensor4D, filter as tf.Tensor as tf.Tensor4D, 1, 'same'),
          ].map(read),
        );
      expect(await results()).toEqual([
        [2, 2],
        [2, 2],
      ]);
      for (const value of [3, 4]) {
        const writer = adapter().write();
        for (const variable of [x, filter])
          await writer.push(variable, 0, shared(Array(4).fill(value)));
        expect(await results()).toEqual([
          [2 * value, 2 * value],
          [2 * value, 2 * value],
        ]);
      }
    });

    test('push leaves alone who shares the data: a clone, a reshaped view, the caller’s array', async () => {
      const array = new Float32Array([1, 2, 3]);
      const given = tf.tensor1d(array);
      const x = tf.variable(given);
      const [clone, view] = [x.clone(), tf.reshape(x, [3, 1])];
      const writer = adapter().write();
      await writer.push(x, 0, shared([7]));
      await writer.push(x, 1, shared([8, 9]));
      expect(await read(x)).toEqual([7, 8, 9]);
      expect([...array]).toEqual([1, 2, 3]);
      for (const kept of [given, clone, view]) expect(await read(kept)).toEqual([1, 2, 3]);
    });

    test('several variables in one go, a scalar and one without elements among them', async () => {
      const [a, b, c] = [
        tf.variable(tf.scalar(0)),
        tf.variable(tf.zeros([0, 4])),
        tf.variable(tf.zeros([2])),
      ];
      const writer = adapter().write();
      await writer.push(a, 0, shared([5]));
      await writer.push(c, 0, shared([6]));
      await writer.push(c, 1, shared([7]));
      expect(await Promise.all([a, b, c].map(read))).toEqual([[5], [], [6, 7]]);
    });

    test('no tensor is left behind, also if the last part never comes', async () => {
      const x = tf.variable(tf.zeros([4]));
      const { numTensors } = tf.memory();
      for (let i = 0; i < 5; i++) {
        const writer = adapter().write();
        await writer.push(x, 0, shared([1, 2]));
        if (i % 2 === 0) await writer.push(x, 2, shared([3, 4]));
        await adapter().pull(x, 1, new Float32Array(2));
      }
      expect(tf.memory().numTensors).toBe(numTensors);
      expect((await read(x)).slice(2)).toEqual([3, 4]);
    });

    test('every float32 survives the way down and up: ±0, denormals, ±3e38', async () => {
      const values = Float32Array.of(0, -0, 1e-45, -1e-40, 3e38, -3e38, 1 / 3);
      const x = tf.variable(tf.tensor1d(values.slice()));
      const into = new Float32Array(values.length);
      await adapter().pull(x, 0, into);
      x.assign(tf.zeros([values.length]));
      const writer = adapter().write();
      await writer.push(x, 0, into);
      expect(new Uint32Array((await x.data<'float32'>()).slice().buffer)).toEqual(
        new Uint32Array(values.buffer),
      );
    });
  });
};

onEveryEngine(contract);
describe('on wasm with startWasm()', () => {
  onWasm();
  contract();
});
describeWebGPU(() => {
  beforeEach(() => start());
  contract();
});

test('a weight made on another backend is found there', async () => {
  await tf.setBackend('cpu');
  const x = tf.variable(tf.tensor1d([1, 2, 3]));
  await tf.setBackend('wasm');
  const into = new Float32Array(2);
  await currentDevice().pull(x, 1, into);
  expect([...into]).toEqual([2, 3]);
  const writer = currentDevice().write();
  await writer.push(x, 0, shared([4, 5, 6]));
  expect(valuesOf(x)).toEqual([4, 5, 6]);
  await tf.setBackend('cpu');
  expect(currentDevice()).toBe(cpuDevice);
  expect(valuesOf(x)).toEqual([4, 5, 6]);
});
