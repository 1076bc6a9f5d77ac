// Whether weights in the heap are finite, by our kernel.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { startWasm, type WasmEngine } from 'slowlane/wasm';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { currentDevice } from '#src/engines/current-device.js';
import { allNonFiniteIn, areWithin, awaited } from '#src/engines/finite.js';

let engine: WasmEngine;
beforeAll(async () => {
  engine = await startWasm();
});
afterAll(() => engine.stop());

const isWithin = (values: Float32Array, largest: number) =>
  tf.tidy(() => currentDevice().isWithin?.(tf.tensor1d(values), largest));
const isFinite = (values: Float32Array) => isWithin(values, 3.4028234663852886e38);

test('a NaN and both infinities are found at every place of 0 to 40 numbers', () => {
  for (let size = 0; size <= 40; size++) {
    const values = Float32Array.from({ length: size }, (_, i) => (i % 2 ? -3.4e38 : 1e-45));
    expect(isFinite(values)).toBe(true);
    for (let at = 0; at < size; at++) {
      for (const bad of [NaN, Infinity, -Infinity]) {
        const spoilt = values.slice();
        spoilt[at] = bad;
        expect(isFinite(spoilt), `${bad} at ${at} of ${size}`).toBe(false);
      }
    }
  }
});

test('a NaN of any bits is one: signalling, negative', () => {
  for (const bits of [0x7f800001, 0x7fffffff, 0xff800001, 0xffffffff]) {
    expect(isFinite(new Float32Array(Uint32Array.of(1, bits).buffer))).toBe(false);
  }
  const finite = Uint32Array.of(0x7f7fffff, 0xff7fffff, 0x80000000, 0x00000001);
  expect(isFinite(new Float32Array(finite.buffer))).toBe(true);
});

test('what is beyond a limit is found at every place, the limit itself is within, and a NaN is not', () => {
  for (let size = 1; size <= 40; size++) {
    const values = Float32Array.from({ length: size }, (_, i) => (i % 2 ? -65504 : 65504));
    expect(isWithin(values, 65504)).toBe(true);
    for (let at = 0; at < size; at++) {
      for (const bad of [65504.004, -65504.004, Infinity, NaN]) {
        const beyond = values.slice();
        beyond[at] = bad;
        expect(isWithin(beyond, 65504), `${bad} at ${at} of ${size}`).toBe(false);
      }
    }
  }
});

test('weights whose sum overflows are finite, and one made on cpu is looked at too', async () => {
  await tf.setBackend('cpu');
  const made = tf.tensor1d([1, NaN]);
  await tf.setBackend('wasm');
  const [large, one] = [tf.fill([100], 3e38), tf.fill([9], 1)];
  expect(await awaited(allNonFiniteIn([large, made]))).toEqual([made]);
  expect(await awaited(areWithin([large, made, one], 65504))).toEqual([false, false, true]);
  tf.dispose([large, made, one]);
});
