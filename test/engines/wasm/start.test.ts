import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { startWasm } from 'slowlane/wasm';
import { beforeEach, expect, test, vi } from 'vitest';

beforeEach(async () => {
  await tf.setBackend('cpu');
});

const own = () =>
  ['BatchMatMul', '_FusedMatMul', 'Conv2DBackpropInput', 'Conv2DBackpropFilter', 'Einsum'].map(
    (name) => (tf.getKernel(name, 'wasm') as tf.KernelConfig | undefined)?.kernelFunc,
  );

test('it is the current backend until stop(), which gives the previous one and the kernels back', async () => {
  (await startWasm()).stop(); // tfjs's kernels are there once its package is loaded
  const before = own();
  expect(before.map((kernel) => kernel !== undefined)).toEqual([true, true, true, false, false]);
  const engine = await startWasm();
  expect(tf.getBackend()).toBe('wasm');
  expect(engine.backend).toBe(tf.backend());
  expect(own().some((kernel, i) => kernel === before[i])).toBe(false);
  engine.stop();
  engine.stop();
  expect(own()).toEqual(before);
  expect(tf.getBackend()).toBe('cpu');
});

test('tensors outlive stop(), and tfjs’s kernels compute with them', async () => {
  const engine = await startWasm();
  const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  const product = () => tf.tidy(() => [...tf.matMul(x, x, true).dataSync()]);
  // [1 3; 2 4]·[1 2; 3 4]
  expect(product()).toEqual([10, 14, 14, 20]);
  engine.stop();
  await tf.setBackend('wasm');
  expect(product()).toEqual([10, 14, 14, 20]);
  x.dispose();
});

test('a backend that is removed and made anew has the kernels too', async () => {
  const engine = await startWasm();
  tf.removeBackend('wasm');
  const { init, BackendWasm } = await import('@tensorflow/tfjs-backend-wasm/dist/backend_wasm.js');
  tf.registerBackend('wasm', async () => new BackendWasm((await init()).wasm));
  await tf.setBackend('wasm');
  const x = tf.ones([3, 2]);
  expect(tf.tidy(() => [...tf.matMul(x, x, true).dataSync()])).toEqual([3, 3, 3, 3]);
  expect(tf.tidy(() => [...tf.einsum('ij->', x).dataSync()])).toEqual([6]);
  x.dispose();
  engine.stop();
  expect(tf.getBackend()).toBe('cpu');
});

test('it runs once: a second call throws, also while the first starts', async () => {
  const starting = startWasm();
  await expect(startWasm()).rejects.toMatchObject({ code: 'WRONG_STATE' });
  const engine = await starting;
  await expect(startWasm()).rejects.toThrow(/running already. Call its stop\(\) first/);
  engine.stop();
});

test('without the package it throws, and can be called again', async () => {
  vi.doMock('@tensorflow/tfjs-backend-wasm', () => {
    throw Object.assign(new Error("Cannot find package '@tensorflow/tfjs-backend-wasm'"), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
  });
  vi.resetModules();
  const { startWasm: startAnew } = await import('#src/engines/wasm/index.js');
  await expect(startAnew()).rejects.toMatchObject({ code: 'PACKAGE_MISSING' });
  expect(tf.getBackend()).toBe('cpu');
  vi.doUnmock('@tensorflow/tfjs-backend-wasm');
  (await startAnew()).stop();
});

test('a wasm backend of another make is refused, and the previous backend is current again', async () => {
  (await startWasm()).stop();
  const backend = tf.findBackend('wasm') as unknown as { wasm: { asm: unknown } };
  const { asm } = backend.wasm;
  backend.wasm.asm = {};
  await expect(startWasm()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  expect(tf.getBackend()).toBe('cpu');
  backend.wasm.asm = asm;
  (await startWasm()).stop();
});
