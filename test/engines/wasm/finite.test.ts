// Whether weights in the heap are finite, by our kernel.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { startWasm, type WasmEngine } from 'slowlane/wasm';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { currentDevice } from '#src/engines/current-device.js';
import { allNonFiniteIn, awaited } from '#src/engines/finite.js';

let engine: WasmEngine;
beforeAll(async () => {
  engine = await startWasm();
});
afterAll(() => engine.stop());

const isFinite = (values: Float32Array) =>
  tf.tidy(() => currentDevice().isFinite?.(tf.tensor1d(values)));

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

test('weights whose sum overflows are finite, and one made on cpu is looked at too', async () => {
  await tf.setBackend('cpu');
  const made = tf.tensor1d([1, NaN]);
  await tf.setBackend('wasm');
  const large = tf.fill([100], 3e38);
  expect(await awaited(allNonFiniteIn([large, made]))).toEqual([made]);
  tf.dispose([large, made]);
});
